/* What `readline` of bash returns in tracked processes -> the ring. A library that others use too is probed where bash has
 * the function from there, so the name of the process is asked for. */

enum { LINE = 1, STARTED = 2 };

#define LINE_MOST 8192

struct line_t {
    struct head_t head;
    u32 size; /* with its NUL */
    u32 pad;
    char text[LINE_MOST];
};

static inline int is_bash(void)
{
    u64 comm = LOAD(own_leader(), task_struct_comm);
    return (comm & 0xffffffffff) == ('b' | 'a' << 8 | 's' << 16 | 'h' << 24);
}

static inline int leave(struct pt_regs *ctx)
{
    u32 tgid = current_tgid();
    u64 text = PT_REGS_RC(ctx);
    struct process_t *process = tracked.lookup(&tgid);
    if (!process || !fits_now() || !text || !is_bash())
        return 0;
    void *into = ring_now();
    struct line_t *line = into ? bpf_ringbuf_reserve(into, sizeof(*line), 0) : 0; /* a probe may be preempted: no buffer per CPU */
    if (!line) {
        count(LOST);
        return 0;
    }
    fill_head(&line->head, LINE, process);
    int size = bpf_probe_read_user_str(line->text, LINE_MOST, (void *)text);
    if (size < 0) { /* its page is not in memory */
        bpf_ringbuf_discard(line, 0);
        count(LOST);
        return 0;
    }
    line->size = size;
    line->pad = 0;
    bpf_ringbuf_submit(line, 0);
    return 0;
}

int on_leave(struct pt_regs *ctx) { return HELD(leave(ctx)); }

static inline int executed(void)
{
    u32 tgid = current_tgid();
    if (!fits_now() || !is_bash())
        return 0;
    struct process_t *process = tracked.lookup(&tgid);
    if (!process || !is_to_do(0))
        return 0;
    struct {
        struct head_t head;
        u32 size, pad;
    } record = {};
    fill_head(&record.head, STARTED, process);
    SEND(&record, sizeof(record), 0);
    return 0;
}

PART_AT(at_exec, AT_EXEC, executed())
