/* Which TCP socket a thread sends to, for functions that know no connection. */

static inline u64 tcp_of_call(void)
{
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task);
    return tcp_of(task, ARGUMENT(registers, 1));
}

/* The records that the thread sealed go to this socket. Whether all of them are taken now is no matter: the rest goes there too. */
static inline int sends(struct call_t *call)
{
    u64 id = current_key();
    u32 tid = id;
    struct process_t *process = wanted();
    if (!process)
        return 0;
    struct sealed_t *found = sealed.lookup(&tid);
    if (!found || !found->records)
        return 0;
    u64 sock = tcp_of_call();
    if (!sock)
        return 0;
    struct side_key_t key = {.ssl = sock, .pid = id >> 32, .direction = OUT};
    struct side_t fresh = {}, *side = sides.lookup_or_try_init(&key, &fresh);
    struct {
        struct head_t head;
        u64 ssl, offset, seq, latency_ns, sock;
        u32 size, lost, direction, library;
    } mark = {};
    fill_head(&mark.head, SENT, process);
    mark.ssl = sock;
    mark.latency_ns = found->epoch;
    mark.sock = found->bytes;
    mark.size = found->records;
    mark.direction = OUT;
    if (side) {
        mark.offset = side->offset;
        mark.seq = side->seq;
        side->offset += found->bytes;
        side->seq += found->records;
    } else {
        count(UNTRACKED);
    }
    SEND(&mark, sizeof(mark), 0);
    found->bytes = 0;
    found->records = 0;
    found->epoch++;
    return 0;
}

PART(on_sent, AT_END, sends(call))
