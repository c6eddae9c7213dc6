/* What tracked processes do with sockets -> the ring.
 *
 * Calls are seen at their end, with their outcome. Of a TCP connect that does not wait the outcome comes later: the change of
 * the socket's state tells it, in whatever process the CPU happens to be, so it is joined on the address of the socket. It may
 * also come before the call ends. Whichever of the two comes second deletes the entry of `waiting`, and who deletes, sends. */

enum { CONNECT = 1, BIND = 2, LISTEN = 3, ACCEPT = 4, SEND = 5, GONE = 6 };

/* The directory that a relative path starts at: its names are here; those at the top are not. */
enum { WALKED = 1, CUT = 2 };

#define UNIX 1
#define TCP 6
#define STREAM 1
#define SEQPACKET 5
#define ADDRESS_MOST 128 /* struct sockaddr_storage */
#define MESSAGES_MOST 32 /* of one sendmmsg; what is beyond counts as lost */

/* Errors of a connect that goes on. */
#define UNDECIDED(result) ((result) == -115 || (result) == -4 || RESTARTED(result)) /* EINPROGRESS, EINTR */

struct net_t {
    struct head_t head;
    u64 latency_ns;
    s64 size;
    s32 error;
    u16 family;
    u16 type;
    u32 protocol;
    u32 name; /* sizes of the parts of the text: name of a unix socket as given, if it was, then the names above it */
    u32 above;
    u32 marks;
    struct end_t local;
    struct end_t peer;
};

struct wait_t {
    struct net_t net;
    u64 begun_ns;
    u64 returned; /* the call ended, undecided */
    u64 done;     /* the outcome is in `net` */
};

struct room_t {
    u32 at;
    u32 pad;
    u8 address[ADDRESS_MOST];
    struct net_t net;
    char text[TEXT_MOST + PART_MOST];
};

BPF_HASH(waiting, u64, struct wait_t, 65536);             /* struct sock -> a TCP connect */
BPF_TABLE("lru_hash", u64, u64, begun, 16384);            /* thread -> when its connect began */
BPF_PERCPU_ARRAY(room, struct room_t, 1);

static inline struct process_t *wanted(void)
{
    u32 tgid = current_tgid();
    struct process_t *process = tracked.lookup(&tgid);
    return process && fits_now() ? process : 0;
}

static inline void describe(struct net_t *net, u64 sock)
{
    u16 protocol = 0;
    FIELD(net->family, sock, sock_common_skc_family);
    FIELD(net->type, sock, sock_sk_type);
    FIELD(protocol, sock, sock_sk_protocol);
    net->protocol = protocol;
}

static inline int known_family(u16 family)
{
    return family == INET || family == INET6 || family == UNIX;
}

/* -- connect -- */

static inline int begins(struct call_t *call)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), sock = 0;
    u64 id = current_key(), now = bpf_ktime_get_ns();
    u64 socket = socket_of(task, ARGUMENT(registers, 1));
    u32 state = 0;
    if (!socket)
        return 0;
    FIELD(sock, socket, socket_sk);
    FIELD(state, socket, socket_state);
    struct wait_t wait = {};
    describe(&wait.net, sock);
    if (wait.net.protocol == TCP && wait.net.type == STREAM && wait.net.family != UNIX) {
        if (state != 1) /* SS_UNCONNECTED: it asks how an earlier one is going */
            return 0;
        fill_head_slowly(&wait.net.head, CONNECT, process);
        wait.net.error = 115; /* EINPROGRESS, until the outcome is known */
        wait.begun_ns = now;
        if (waiting.update(&sock, &wait))
            count(UNTRACKED);
    }
    begun.update(&id, &now);
    return 0;
}

PART(on_begin, AT_BEGIN, begins(call))

/* The entry is copied before it is deleted: its memory is used again at once. */
static inline void decide(u64 sock, struct wait_t *wait, struct net_t *copy)
{
    __builtin_memcpy(copy, &wait->net, sizeof(*copy));
    if (!waiting.delete(&sock))
        SEND(copy, sizeof(*copy), 0);
}

static inline int changes(u64 sock, int before, int after)
{
    int error = 0;
    if (before != 2 && before != 3) /* TCP_SYN_SENT; TCP_SYN_RECV where both sides connected at once */
        return 0;
    if (after != 1 && after != 7) /* TCP_ESTABLISHED, TCP_CLOSE */
        return 0;
    struct wait_t *wait = waiting.lookup(&sock);
    if (!wait || wait->done)
        return 0;
    if (after == 7) {
        FIELD(error, sock, sock_sk_err);
        if (!error)
            error = 125; /* ECANCELED: it was closed before there was an outcome */
    }
    struct net_t *net = &wait->net;
    net->error = error;
    net->head.time_ns = bpf_ktime_get_ns();
    net->latency_ns = net->head.time_ns - wait->begun_ns;
    read_peer(&net->peer, sock, net->family);
    read_local(&net->local, sock, net->family);
    __sync_fetch_and_add(&wait->done, 1); /* also a barrier: of two CPUs at least one sees what the other did */
    if (wait->returned) {
        struct net_t copy;
        decide(sock, wait, &copy);
    }
    return 0;
}

RAW_TRACEPOINT_PROBE(inet_sock_set_state) { return RUN(changes(ctx->args[0], ctx->args[1], ctx->args[2])); }

/* -- the end of a call -- */

/* What stands in a struct sockaddr of the process -> `end`, or the text of the record. Returns 1 for a relative path. */
static inline int read_address(struct room_t *space, struct end_t *end, u64 from, u32 given)
{
    u8 *raw = space->address;
    u32 address = 0;
    u16 family = 0, port = 0;
    u64 size = AT_MOST(given, ADDRESS_MOST);
    if (size < 2)
        return 0;
    __builtin_memset(raw, 0, ADDRESS_MOST);
    if (bpf_probe_read_user(raw, size, (void *)from))
        return 0;
    __builtin_memcpy(&family, raw, 2);
    __builtin_memcpy(&port, raw + 2, 2);
    port = __builtin_bswap16(port);
    if (family == INET && size >= 8) {
        __builtin_memcpy(&address, raw + 4, 4);
        set_ipv4(end, address, port);
    } else if (family == INET6 && size >= 24) {
        __builtin_memcpy(end->address, raw + 8, 16);
        end->port = port;
        end->known = 1;
    } else if (family == UNIX && size > 2) {
        __builtin_memcpy(space->text, raw + 2, ADDRESS_MOST - 2);
        space->net.name = size - 2;
        *(volatile u32 *)&space->at = size - 2;
        return raw[2] && raw[2] != '/';
    }
    return 0;
}

/* What a unix socket is bound to: an abstract name -> the text of the record, a file -> its place, which is returned. */
static inline struct place_t read_bound(struct room_t *space, u64 sock)
{
    struct place_t nowhere = {};
    u64 address = 0;
    u32 whole = 0;
    FIELD(address, sock, unix_sock_addr);
    if (!address)
        return nowhere;
    FIELD(whole, address, unix_address_len);
    if (whole <= 2)
        return nowhere;
    u64 size = AT_MOST(whole - 2, ADDRESS_MOST);
    bpf_probe_read_kernel(space->text, size, (void *)address + O_unix_address_name + 2);
    if (space->text[0])
        return place_at(sock + O_unix_sock_path);
    space->net.name = size;
    *(volatile u32 *)&space->at = size;
    return nowhere;
}

static inline void finish(struct room_t *space)
{
    SEND(&space->net, sizeof(space->net) + AT_MOST(*(volatile u32 *)&space->at, TEXT_MOST), 0);
}

/* What is the same for every record: the socket, who asked, how it ended. */
static inline void begin(struct room_t *space, u64 sock, u32 kind, s64 result, struct process_t *process, u64 task)
{
    struct net_t *net = &space->net;
    __builtin_memset(net, 0, sizeof(*net));
    *(volatile u32 *)&space->at = 0;
    describe(net, sock);
    fill_head_slowly(&net->head, kind, process);
    net->error = result < 0 ? -result : 0;
    if (net->family != UNIX)
        read_local(&net->local, sock, net->family);
}

/* The connect of a TCP socket: 1 where the outcome comes later. */
static inline int comes_later(u64 sock, struct room_t *space, s64 result)
{
    struct wait_t *wait = waiting.lookup(&sock);
    if (!wait)
        return 0;
    if (!UNDECIDED(result)) {
        waiting.delete(&sock);
        return 0;
    }
    read_peer(&wait->net.peer, sock, wait->net.family);
    __sync_fetch_and_add(&wait->returned, 1);
    if (wait->done)
        decide(sock, wait, &space->net);
    return 1;
}

static inline int end(struct call_t *call)
{
    s64 result = call->result;
    struct process_t *process = wanted();
    if (!process || !is_to_do(0))
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), files = files_of(task);
    u64 address = ARGUMENT(registers, 2), size = ARGUMENT(registers, 3), id = current_key();
    u64 sock = 0, latency_ns = 0;
    u32 zero = 0, kind = 0, number = ARGUMENT(registers, 1);
    switch (call->number) {
    case NR_connect: {
        u64 *since = begun.lookup(&id);
        if (!since)
            return 0;
        latency_ns = bpf_ktime_get_ns() - *since;
        begun.delete(&id);
        kind = CONNECT;
        break;
    }
    case NR_bind:
        kind = BIND;
        break;
    case NR_listen:
        kind = LISTEN, address = 0;
        break;
    case NR_accept:
    case NR_accept4:
        if (result == -11 || RESTARTED(result)) /* EAGAIN: no connection waits */
            return 0;
        kind = ACCEPT, address = 0;
        if (result >= 0)
            number = result;
        break;
    case NR_sendto:
        kind = SEND, address = ARGUMENT(registers, 5), size = ARGUMENT(registers, 6);
        break;
    case NR_sendmsg: { /* the address and its size stand first in struct msghdr */
        struct {
            u64 address, size;
        } first = {};
        bpf_probe_read_user(&first, 12, (void *)address);
        kind = SEND, address = first.address, size = first.size;
        break;
    }
    default:
        return 0;
    }
    if (kind == SEND && (!address || RESTARTED(result)))
        return 0;
    u64 socket = socket_in(files, number);
    struct room_t *space = room.lookup(&zero);
    if (!socket || !space)
        return 0;
    FIELD(sock, socket, socket_sk);
    struct net_t *net = &space->net;
    begin(space, sock, kind, result, process, task);
    if (!known_family(net->family))
        return 0;
    if (kind == SEND && (net->type == STREAM || net->type == SEQPACKET))
        return 0;
    if (kind == CONNECT && net->family != UNIX && net->protocol == TCP && comes_later(sock, space, result))
        return 0;
    net->latency_ns = latency_ns;
    if (kind == SEND && result > 0)
        net->size = result;
    u16 port = net->local.port;
    struct place_t from = {};
    if (net->family == UNIX && (kind == LISTEN || kind == ACCEPT || (kind == BIND && result >= 0))) {
        from = read_bound(space, sock);
    } else if (address) {
        if (read_address(space, kind == BIND ? &net->local : &net->peer, address, size)) {
            u64 fs = 0;
            FIELD(fs, task, task_struct_fs);
            from = place_at(fs + O_fs_struct_pwd);
        }
    } else if (kind == ACCEPT && result >= 0) {
        read_peer(&net->peer, sock, net->family);
    }
    if (kind == BIND && result >= 0 && net->family != UNIX)
        net->local.port = port; /* the one it got, where it asked for any */
    if (kind == CONNECT && net->family != UNIX && !net->peer.known && result >= 0)
        return 0; /* AF_UNSPEC: it only forgets its peer */
    if (from.dentry) {
        net->marks = walk(&space->at, space->text, from, task) ? WALKED : WALKED | CUT;
        net->above = *(volatile u32 *)&space->at - net->name;
    }
    finish(space);
    return 0;
}

PART(on_end, AT_END, end(call))

/* sendmmsg: an array of struct mmsghdr, 64 bytes each, of which `result` were sent. */
static inline int batch(struct call_t *call)
{
    s64 result = call->result;
    struct process_t *process = wanted();
    if (!process || RESTARTED(result) || !is_to_do(0))
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), sock = 0;
    u64 batch = ARGUMENT(registers, 2), socket = socket_of(task, ARGUMENT(registers, 1));
    u32 zero = 0, messages = result > 0 ? result : 1;
    struct room_t *space = room.lookup(&zero);
    if (!socket || !space)
        return 0;
    FIELD(sock, socket, socket_sk);
#pragma clang loop unroll(disable)
    for (TURNS(message, MESSAGES_MOST)) {
        if (message >= messages)
            return 0;
        struct {
            u64 address, size;
        } first = {};
        u32 length = 0;
        bpf_probe_read_user(&first, 12, (void *)batch + 64 * (u64)message);
        bpf_probe_read_user(&length, sizeof(length), (void *)batch + 64 * (u64)message + 56);
        if (!first.address)
            continue;
        begin(space, sock, SEND, result, process, task);
        if (!known_family(space->net.family))
            return 0;
        if (result > 0)
            space->net.size = length;
        read_address(space, &space->net.peer, first.address, first.size);
        finish(space);
    }
    if (messages > MESSAGES_MOST)
        count(LOST);
    return 0;
}

PART(on_batch, AT_END, batch(call))

/* -- processes -- */

PART_AT(at_exit, AT_EXIT, tell_gone(GONE))
