/* Reads and writes of tracked processes on pipes and unix sockets, on regular files that are their standard streams, and what
 * they write to terminals -> the ring.
 *
 * A file is known by its inode, looked up while the call begins: a number of a descriptor says nothing once it is closed, and
 * short processes are gone before user space could ask.
 *
 * Switches: those of buffers.h, MOST (bytes of one call), STEPS (turns of the copying loop), TTY, FDS (`ONLY(0) ONLY(1)`),
 * CPUS (one more than the highest number of one). */

enum { CHUNK = 1, END = 2, GONE = 3, SELF = 4 };

/* EARLY: written to a socket that is not accepted yet, known by the inode of the end that wrote. REGULAR: a file as standard
 * input, output or error. */
enum { PIPE = 0, UNIX = 1, TERMINAL = 2, EARLY = 3, REGULAR = 4 };

enum { IN = 0, OUT = 1 }; /* as is_write() says */

enum { UNSEEN = HIDDEN }; /* the call began before it was watched, so its arguments are in the registers once it ends */

#define PEEK 2 /* MSG_PEEK: the bytes stay and will be read again */

#define MODE_TYPE 0xf000
#define MODE_FIFO 0x1000
#define MODE_CHAR 0x2000
#define MODE_REGULAR 0x8000
#define MODE_SOCKET 0xc000
#define FAMILY_UNIX 1
#define DATAGRAM 2

struct begun_t {
    u64 inode;
    u64 back; /* inode of the other end of the socket */
    u64 at;
    u64 size; /* of the buffer; how many of them there are */
    u64 time_ns;
    u32 fd;
    u32 device; /* of a regular file: an inode is one of its device */
    u8 kind;
    u8 form;
    u8 datagram;
    u8 pad[5];
};

struct key_t {
    u64 inode;
    u64 kind; /* and the device above it */
};

struct side_t {
    u64 offset; /* bytes that passed at this side so far, captured or not */
    u64 seq;
};

struct channel_t {
    struct side_t in, out;
    u32 reader; /* the last process that read, that wrote */
    u32 writer;
    u32 crossed; /* it connects two processes */
    u32 self;    /* reported as a connection of a process with itself */
    u64 ended;   /* its end was reported */
};

struct chunk_t {
    struct head_t head;
    u64 inode;
    u64 back;
    u64 offset;
    u64 seq;
    u64 latency_ns;
    u32 size;
    u32 lost; /* bytes of this call behind the data that were not captured */
    u32 fd;
    u8 kind;
    u8 direction;
    u8 alone; /* no reader was seen here */
    u8 pad;
    char data[2 * SEGMENT]; /* the second half is never sent: room for what the verifier thinks possible */
};

#define EMPTY (sizeof(struct chunk_t) - 2 * SEGMENT)

struct room_t {
    struct copying_t copying;
    struct chunk_t chunk;
};

BPF_HASH(calls, u32, struct begun_t, 16384); /* by thread; 16384 threads may wait at once */
BPF_TABLE("lru_hash", struct key_t, struct channel_t, channels, 16384);

/* One a CPU, which is held meanwhile. A map of the per-CPU kind takes 32 KiB at most. */
BPF_ARRAY(rooms, struct room_t, CPUS);

static inline struct process_t *wanted(void)
{
    u32 tgid = current_tgid();
    struct process_t *process = tracked.lookup(&tgid);
    return process && !is_own(tgid) && fits_now() ? process : 0;
}

static inline int fd_fits(u32 fd)
{
#ifdef FDS
#define ONLY(number) case number:
    switch (fd) {
        FDS return 1;
    }
    return 0;
#else
    return 1;
#endif
}

static inline u64 inode_of_socket(u64 socket)
{
    u64 inode = 0;
    if (socket)
        bpf_probe_read_kernel(&inode, 8, (void *)socket + O_socket_alloc_vfs_inode + O_inode_i_ino);
    return inode;
}

static inline int identify_socket(struct begun_t *call, u64 file, int direction)
{
    u64 socket = 0, sock = 0, peer = 0, other = 0;
    u16 family = 0, type = 0;
    FIELD(socket, file, file_private_data);
    FIELD(sock, socket, socket_sk);
    FIELD(family, sock, sock___sk_common_skc_family);
    if (!sock || family != FAMILY_UNIX)
        return 0;
    FIELD(type, socket, socket_type);
    FIELD(peer, sock, unix_sock_peer);
    if (peer)
        FIELD(other, peer, sock_sk_socket);
    u64 mine = inode_of_socket(socket), theirs = inode_of_socket(other);
    call->kind = UNIX;
    call->datagram = type == DATAGRAM;
    call->inode = direction == IN ? mine : theirs;
    call->back = direction == IN ? theirs : mine;
    if (call->inode)
        return 1;
    call->kind = EARLY;
    return peer && !call->datagram;
}

/* Fills in which channel the call is on; 0 if it is on none. */
static inline int identify(struct begun_t *call, u32 fd, int direction)
{
    u64 table = LOAD(LOAD(bpf_get_current_task_btf(), task_struct_files), files_struct_fdt), file = 0, inode = 0, super = 0;
    u32 most = *(u32 *)(table + O_fdtable_max_fds), device = 0;
    u16 mode = 0;
    if (fd >= most)
        return 0;
    bpf_probe_read_kernel(&file, 8, (void *)LOAD(table, fdtable_fd) + 8 * (u64)fd);
    FIELD(inode, file, file_f_inode);
    FIELD(mode, inode, inode_i_mode);
    mode &= MODE_TYPE;
    if (mode == MODE_FIFO) {
        call->kind = PIPE;
        FIELD(call->inode, inode, inode_i_ino);
        return 1;
    }
    if (mode == MODE_SOCKET)
        return identify_socket(call, file, direction);
    if (mode == MODE_REGULAR && (direction == IN ? fd == 0 : fd == 1 || fd == 2)) {
        call->kind = REGULAR;
        FIELD(call->inode, inode, inode_i_ino);
        FIELD(super, inode, inode_i_sb);
        FIELD(call->device, super, super_block_s_dev);
        return 1;
    }
#ifdef TTY
    if (mode == MODE_CHAR && direction == OUT) {
        FIELD(device, inode, inode_i_rdev);
        u32 major = device >> 20; /* Documentation/admin-guide/devices.txt: consoles, /dev/tty, pseudo-terminals */
        call->kind = TERMINAL;
        FIELD(call->inode, inode, inode_i_ino);
        return major == 4 || major == 5 || (major >= 136 && major <= 143);
    }
#endif
    return 0;
}

/* The call with this number that the current thread is in; 0 if it is of no interest. */
static inline int look_up(struct begun_t *call, u32 number)
{
    u64 registers = bpf_task_pt_regs(bpf_get_current_task_btf());
    u64 third = ARGUMENT(registers, 3), flags = 0;
    u32 fd = ARGUMENT(registers, 1);
    if (number == NR_recvfrom)
        flags = ARGUMENT(registers, 4);
    if (number == NR_recvmsg)
        flags = third;
    if (flags & PEEK || !fd_fits(fd) || !identify(call, fd, is_write(number)))
        return 0;
    call->form = form_of(number);
    call->at = ARGUMENT(registers, 2);
    call->size = call->form == MESSAGE ? 0 : third;
    call->fd = fd;
    call->time_ns = bpf_ktime_get_ns();
    return 1;
}

static inline int enter(struct call_t *args)
{
    u32 tid = current_tid();
    struct begun_t call = {};
    if (wanted() && look_up(&call, args->number) && calls.update(&tid, &call))
        count(UNTRACKED);
    return 0;
}

PART(on_enter, AT_BEGIN, enter(call))

static inline void begin(struct chunk_t *chunk, u32 kind, struct process_t *process, struct begun_t *call, int direction)
{
    fill_head(&chunk->head, kind, process);
    chunk->inode = call->kind == EARLY ? 0 : call->inode;
    chunk->back = call->back;
    chunk->fd = call->fd;
    chunk->kind = call->kind == EARLY ? UNIX : call->kind;
    chunk->direction = direction;
    chunk->latency_ns = chunk->head.time_ns - call->time_ns;
    chunk->size = chunk->lost = 0;
    chunk->offset = chunk->seq = 0;
    chunk->alone = chunk->pad = 0;
}

/* What was written before the socket was accepted comes first in what is written behind that. */
static inline void adopt_early(struct channel_t *channel, struct begun_t *call)
{
    struct key_t key = {.inode = call->back, .kind = EARLY};
    struct channel_t *early = channels.lookup(&key);
    if (early && !channel->out.seq) {
        channel->out = early->out;
        channels.delete(&key);
    }
}

static inline struct channel_t *channel_of(struct begun_t *call, int direction)
{
    struct key_t key = {.inode = call->kind == EARLY ? call->back : call->inode, .kind = call->kind | (u64)call->device << 8};
    struct channel_t fresh = {};
    struct channel_t *channel = channels.lookup_or_try_init(&key, &fresh);
    if (!channel)
        count(UNTRACKED);
    else if (call->kind == UNIX && direction == OUT && !channel->out.seq)
        adopt_early(channel, call);
    return channel;
}

/* True where a process talks to itself and no other was ever seen here: to wake up its own event loop. */
static inline int talks_to_itself(struct channel_t *channel, int direction)
{
    u32 tgid = current_tgid();
    u32 before = direction == IN ? channel->reader : channel->writer;
    u32 other = direction == IN ? channel->writer : channel->reader;
    if (direction == IN)
        channel->reader = tgid;
    else
        channel->writer = tgid;
    if ((other && other != tgid) || (before && before != tgid))
        channel->crossed = 1;
    return other == tgid && !channel->crossed;
}

/* The bytes that the call moved, out of as many buffers as they lie in, into as few segments as they fit. */
static inline void send_data(struct room_t *room, struct begun_t *call, struct side_t *side, u64 did)
{
    struct chunk_t *chunk = &room->chunk;
    u64 over = did > MOST ? did - MOST : 0;
    begin_copying(&room->copying, did - over, call->at, call->size, call->form);
    chunk->offset = __sync_fetch_and_add(&side->offset, did);
#pragma clang loop unroll(disable)
    for (TURNS(i, STEPS)) {
        int is = copy_on(&room->copying, chunk->data);
        if (is == OVER)
            break;
        if (is == FULL) {
            chunk->size = SEGMENT;
            chunk->lost = 0;
            chunk->seq = __sync_fetch_and_add(&side->seq, 1);
            SEND(chunk, EMPTY + SEGMENT, 0);
            chunk->offset += SEGMENT;
        }
    }
    struct copying_t *rest = &room->copying;
    u64 fill = filled(rest);
    if (call->datagram && !rest->more && !rest->space) { /* MSG_TRUNC again: there was no room for the rest */
        __sync_fetch_and_add(&side->offset, -rest->left);
        rest->left = 0;
    }
    chunk->size = fill;
    chunk->lost = rest->left + over;
    chunk->seq = __sync_fetch_and_add(&side->seq, 1);
    SEND(chunk, EMPTY + AT_MOST(fill, SEGMENT), 0);
}

static inline int leave(struct call_t *args, int direction)
{
    u32 tid = current_tid(), cpu = bpf_get_smp_processor_id();
    struct begun_t *found = calls.lookup(&tid);
    if (!found)
        return 0;
    /* A process that waits for input when it is first watched is in a call already, and that is how it gets its first message. */
    if (found->form == UNSEEN) {
        struct begun_t looked_up = {};
        if (look_up(&looked_up, args->number))
            calls.update(&tid, &looked_up); /* and back: what comes from a map is one state to the verifier, whatever it is */
        else
            calls.delete(&tid);
        found = calls.lookup(&tid);
        if (!found)
            return 0;
    }
    struct begun_t call = *found;
    calls.delete(&tid);
    s64 result = args->result;
    int at_end = direction == IN && !result && !call.datagram && (call.size || call.form == MESSAGE);
    struct process_t *process = wanted();
    struct room_t *room = rooms.lookup(&cpu);
    if (!process || !room || (result <= 0 && !at_end))
        return 0;
    if (call.form == PLAIN && (u64)result > call.size) /* MSG_TRUNC returns the size of a datagram that did not fit */
        result = call.size;
    struct channel_t *channel = channel_of(&call, direction);
    if (!channel)
        return 0;
    struct chunk_t *chunk = &room->chunk;
    struct side_t *side = direction == IN ? &channel->in : &channel->out;
    if (at_end) {
        if (channel->ended || (!channel->crossed && channel->writer == channel->reader))
            return 0;
        channel->ended = 1;
        begin(chunk, END, process, &call, direction);
        chunk->offset = side->offset;
        SEND(chunk, EMPTY, 0);
        return 0;
    }
    channel->ended = 0;
    if (talks_to_itself(channel, direction)) {
        __sync_fetch_and_add(&side->offset, result);
        if (channel->self)
            return 0;
        channel->self = 1;
        begin(chunk, SELF, process, &call, direction);
        SEND(chunk, EMPTY, 0);
        return 0;
    }
    begin(chunk, CHUNK, process, &call, direction);
    if (direction == OUT) {
        chunk->head.time_ns = call.time_ns;
        chunk->alone = !channel->reader;
    }
    send_data(room, &call, side, result);
    return 0;
}

PART(leave_in, AT_END, leave(call, IN))
PART(leave_out, AT_END, leave(call, OUT))

static inline int ends(void)
{
    u32 tid = current_tid(), tgid = current_tgid();
    struct {
        struct head_t head;
        u64 nothing[(EMPTY - sizeof(struct head_t)) / 8];
    } mark = {};
    calls.delete(&tid);
    if (!is_gone(&mark.head, GONE) || !fits_now() || is_own(tgid))
        return 0;
    SEND(&mark, sizeof(mark), 0);
    return 0;
}

PART_AT(at_exit, AT_EXIT, ends())
