/* HTTP without TLS: what tracked processes read from and write to TCP sockets -> the ring.
 *
 * A connection is its struct sock, so it does not matter which process uses it and under which number. Positions come from the
 * kernel's own counters, copied_seq and write_seq: bytes that moved in a way that is not seen here (io_uring, or a process that
 * is not tracked) are a gap in the right place.
 *
 * The first bytes of a connection decide what it carries. HTTP passes; TLS is dropped, and bytes of other protocols are dropped
 * and counted. Reads are looked at when they end. Writes also when they begin, for the time: the other side may answer before
 * a write returns.
 *
 * Switches: those of buffers.h, STEPS (turns of the copying loop), CPUS (one more than the highest number
 * of one). */

enum { CHUNK = 1, OTHER = 2, CLOSE = 3 };

enum { IN = 0, OUT = 1 };

/* What a connection carries. */
enum { UNDECIDED, HTTP, TLS, UNKNOWN };

#define MOST (16 << 20) /* bytes of one call */
#define ROUNDS 27 /* programs that follow the first one: the kernel allows 33 (MAX_TAIL_CALL_CNT), with those of other sources */

#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define NO_STREAM (MSG_OOB | MSG_PEEK | MSG_ERRQUEUE) /* the bytes stay, or are none of the stream */

#define IPPROTO_TCP 6
/* A write that has begun; a read once it ends. */
struct move_t {
    u64 sock;
    u64 at;
    u64 size; /* of the buffer; how many of them there are */
    u64 time_ns;
    u32 form;
    u32 many; /* sendmmsg, recvmmsg: the result says how many messages, not bytes */
};

struct side_t {
    u64 offset; /* bytes that passed since the side was opened, captured or not */
    u64 seq;
    u64 time_ns; /* of its newest record */
    u32 at;      /* the kernel's counter behind these bytes */
    u8 started;  /* `at` is known */
    u8 open;     /* a message began here: its bytes pass */
    u8 pad[2];
};

struct connection_t {
    struct head_t head; /* of the process that used it first */
    u64 id;             /* never used again */
    u64 other;          /* bytes that did not pass, except TLS */
    u8 carries;
    u8 opened; /* a tracked process connected it */
    u8 tunnel; /* it began with CONNECT: TLS may follow */
    u8 pad;
    struct end_t local, peer; /* not known until bytes move */
    struct side_t in, out;
};

struct chunk_t {
    struct head_t head;
    u64 owner_start_ns;
    u64 id;
    u64 offset; /* CLOSE: of what was read */
    u64 seq;    /* CLOSE: offset of what was written */
    u64 latency_ns;
    u64 gap;  /* bytes before this record that were not seen, OTHER and CLOSE: bytes that did not pass */
    u64 lost; /* bytes of this call behind the data that were not captured; CLOSE: before it that were not seen */
    u32 owner;
    u32 size;
    u8 direction;
    u8 opened;
    u8 hidden; /* the process never had these bytes */
    u8 pad;
    struct end_t local, peer;
    u16 more_pad[2];
    char data[2 * SEGMENT]; /* the second half is never sent: room for what the verifier thinks possible */
};

#define EMPTY (sizeof(struct chunk_t) - 2 * SEGMENT)

struct room_t {
    struct copying_t copying;
    u64 over; /* bytes of the call that are not copied */
    u64 sock;
    u32 direction;
    u32 rounds; /* programs that went on with this */
    struct move_t move;
    struct chunk_t chunk;
};

BPF_HASH(moves, u32, struct move_t, 16384); /* writes by thread; 16384 threads may wait at once */
BPF_HASH(connections, u64, struct connection_t, 65536);
BPF_HASH(own_ports, u16, u8, 64); /* where this program serves its page: its readers would be events of themselves */

/* One a CPU, which is held meanwhile. A map of the per-CPU kind takes 32 KiB at most. */
BPF_ARRAY(rooms, struct room_t, CPUS);

struct rest_t { /* of a room, while no CPU is held: all but the data */
    char bytes[offsetof(struct room_t, chunk.data)];
};

BPF_TABLE("lru_hash", u32, struct rest_t, rests, 1024); /* by thread */
BPF_PROG_ARRAY(next_programs, 1);

static inline struct process_t *wanted(void)
{
    u32 tgid = current_tgid();
    struct process_t *process = tracked.lookup(&tgid);
    return process && !is_own(tgid) && fits_now() ? process : 0;
}

static inline u32 counter_of(u64 sock, int direction)
{
    u32 counter = 0;
    if (direction == IN)
        FIELD(counter, sock, tcp_sock_copied_seq);
    else
        FIELD(counter, sock, tcp_sock_write_seq);
    return counter;
}

static inline u8 state_of(u64 sock)
{
    u8 state = 0;
    FIELD(state, sock, sock_common_skc_state);
    return state;
}

/* True where all that the connection has carried so far are the `did` bytes of this call. A second look decides. */
static inline int is_new(u64 sock, u64 did, int direction)
{
#pragma unroll
    for (int i = 0; i < 2; i++) {
        struct moved_t moved = moved_of(sock);
        if (direction == IN)
            moved.read -= did;
        else
            moved.written -= did;
        if (moved.read <= 1 && moved.written <= 1)
            return 1;
    }
    return 0;
}

static inline void begin_connection(struct connection_t *fresh, struct process_t *process, u64 sock)
{
    fill_head_slowly(&fresh->head, 0, process);
    /* a CPU gives no time twice */
    fresh->id = fresh->head.time_ns << 8 | (bpf_get_smp_processor_id() & 0xff);
    u16 local = 0, peer = 0;
    FIELD(local, sock, sock_common_skc_num);
    FIELD(peer, sock, sock_common_skc_dport);
    peer = __builtin_bswap16(peer);
    if (own_ports.lookup(&local) || own_ports.lookup(&peer))
        fresh->carries = TLS; /* as good as: dropped and not counted */
}

/* -- what a connection carries -- */

#define WORD(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

#define PREFACE WORD('P', 'R', 'I', ' ') /* of HTTP/2: the first bytes of a client (RFC 9113 3.4) */

/* Does a request or a response begin so? `got` bytes of `word` are there. */
static inline int begins_message(u64 word, u32 got)
{
    u8 first = word;
    if (got < 4) /* a client that writes a few bytes at a time */
        return got && (first == 'G' || first == 'P' || first == 'H' || first == 'D' || first == 'O' || first == 'C');
    switch ((u32)word) {
    case WORD('G', 'E', 'T', ' '):
    case WORD('P', 'O', 'S', 'T'):
    case WORD('P', 'U', 'T', ' '):
    case WORD('H', 'E', 'A', 'D'):
    case WORD('D', 'E', 'L', 'E'):
    case WORD('O', 'P', 'T', 'I'):
    case WORD('P', 'A', 'T', 'C'):
    case WORD('C', 'O', 'N', 'N'):
    case WORD('T', 'R', 'A', 'C'):
    case PREFACE:
    case WORD('H', 'T', 'T', 'P'):
        return 1;
    }
    return 0;
}

/* The settings of an HTTP/2 server that speaks first: a frame of type 4 without flags, on stream 0 (RFC 9113 3.4). */
static inline int begins_settings(u64 word, u32 got)
{
    return got == 8 && !(word & 0xffff) && (word >> 24) == 4;
}

static inline int begins_record(u64 word, u32 got, int handshake)
{
    u8 type = word, major = word >> 8, minor = word >> 16;
    return got >= 3 && (handshake ? type == 0x16 : type >= 0x14 && type <= 0x17) && major == 3 && minor <= 4;
}

/* The first bytes of a call, at most 8. Returns how many there are. */
static inline u32 look(struct move_t *move, u64 did, u64 *word)
{
    u64 at = move->at, size = move->size;
    struct buffer_t buffer = {};
    if (move->form == HIDDEN)
        return 0;
    if (move->form != PLAIN) {
        if (move->form == MESSAGE) {
            struct message_t message = {};
            bpf_probe_read_user(&message, sizeof(message), (void *)at);
            at = message.buffers;
        }
#pragma unroll
        for (int i = 0; i < 3; i++) {
            if (!buffer.size)
                bpf_probe_read_user(&buffer, sizeof(buffer), (void *)at + i * sizeof(buffer));
        }
        at = buffer.at;
        size = buffer.size;
    }
    u64 got = AT_MOST(size < did ? size : did, sizeof(*word));
    return bpf_probe_read_user(word, got, (void *)at) ? 0 : got;
}

static inline void send_mark(u32 kind, struct connection_t *connection, u64 gap, u64 lost)
{
    struct {
        struct head_t head;
        u64 rest[(EMPTY - sizeof(struct head_t)) / 8];
    } blank = {};
    struct chunk_t *mark = (void *)&blank;
    __builtin_memcpy(&mark->head, &connection->head, sizeof(mark->head));
    mark->head.kind = kind | PLACE << 24;
    mark->head.time_ns = bpf_ktime_get_ns();
    mark->owner_start_ns = connection->head.start_ns;
    mark->owner = connection->head.pid;
    mark->id = connection->id;
    mark->opened = connection->opened;
    mark->local = connection->local;
    mark->peer = connection->peer;
    mark->offset = connection->in.offset;
    mark->seq = connection->out.offset;
    mark->gap = gap;
    mark->lost = lost;
    SEND(&blank, sizeof(blank), 0);
}

/* Do these bytes pass? */
static inline int passes(struct connection_t *connection, struct side_t *side, struct move_t *move, u64 did, int direction)
{
    u64 word = 0;
    u32 got = 0;
    if (connection->carries == TLS)
        return 0;
    if (connection->carries == HTTP && side->open && !connection->tunnel)
        return 1;
    if (connection->carries == UNKNOWN)
        goto other;
    got = look(move, did, &word);
    if (connection->carries == HTTP && side->open) {
        if (!begins_record(word, got, 1))
            return 1;
        connection->carries = TLS;
        send_mark(CLOSE, connection, 0, 0); /* of what was HTTP */
        return 0;
    }
    if (begins_message(word, got)) {
        connection->tunnel |= (u32)word == WORD('C', 'O', 'N', 'N');
        side->open = 1;
        if (connection->carries == UNDECIDED && ((u32)word == PREFACE || is_new(move->sock, did, direction)))
            connection->in.open = connection->out.open = 1;
        connection->carries = HTTP;
        return 1;
    }
    if (connection->carries == HTTP)
        goto other; /* the rest of a message that began before the capture */
    int new = is_new(move->sock, did, direction);
    if (begins_record(word, got, new)) {
        connection->carries = TLS;
        return 0;
    }
    if (new && begins_settings(word, got)) {
        connection->in.open = connection->out.open = 1;
        connection->carries = HTTP;
        return 1;
    }
    if (new && got) {
        connection->carries = UNKNOWN;
        send_mark(OTHER, connection, did, 0);
    }
other:
    __sync_fetch_and_add(&connection->other, did);
    return 0;
}

/* -- bytes -- */

/* Segments from where the room stands; 1 where something is left when the steps are used up: the next program copies it. */
static inline int copy(struct room_t *room, struct side_t *side)
{
    struct chunk_t *chunk = &room->chunk;
    u32 again = 1, tid = current_key();
#pragma clang loop unroll(disable)
    for (TURNS(i, STEPS)) {
        int is = copy_on(&room->copying, chunk->data);
        if (is == OVER) {
            again = 0;
            break;
        }
        if (is == FULL) {
            chunk->size = SEGMENT;
            chunk->lost = 0;
            chunk->seq = __sync_fetch_and_add(&side->seq, 1);
            SEND(chunk, EMPTY + SEGMENT, 0);
            chunk->offset += SEGMENT;
            chunk->gap = 0;
        }
    }
    u64 fill = filled(&room->copying);
    again = again && room->rounds < ROUNDS;
    chunk->size = fill;
    chunk->lost = again ? 0 : room->copying.left + room->over;
    chunk->seq = __sync_fetch_and_add(&side->seq, 1);
    SEND(chunk, EMPTY + AT_MOST(fill, SEGMENT), 0);
    if (!again)
        return 0;
    chunk->offset += fill;
    chunk->gap = 0;
    room->rounds++;
    *(volatile u32 *)&room->copying.fill = 0;
    if (!rests.update(&tid, (struct rest_t *)room))
        return 1;
    count(LOST);
    return 0;
}

static inline void jump_on(void *call)
{
    next_programs.call(call, 0);
    count(LOST);
}

/* As PART, for programs that may leave a rest, which the next one copies. No other source has its programs behind these. */
#define COPIES(function, work)        \
    int function(struct call_t *call) \
    {                                 \
        if (HELD(work))               \
            jump_on(call);            \
        leave_chain(CALL);            \
        return 0;                     \
    }

/* The bytes that the call moved, out of as many buffers as they lie in, into as few segments as they fit. */
static inline int send_data(struct room_t *room, struct move_t *move, struct side_t *side, u64 did)
{
    struct chunk_t *chunk = &room->chunk;
    if (move->form == HIDDEN) {
        chunk->size = 0;
        chunk->lost = did;
        chunk->hidden = 1;
        chunk->seq = __sync_fetch_and_add(&side->seq, 1);
        SEND(chunk, EMPTY, 0);
        return 0;
    }
    room->over = did > MOST ? did - MOST : 0;
    room->rounds = 0;
    begin_copying(&room->copying, did - room->over, move->at, move->size, move->form);
    return copy(room, side);
}

/* Bytes that moved since the last call before the `did` of this one. A connection that ends has its FIN counted as one. */
static inline u64 advance(struct side_t *side, u64 sock, u64 did, int direction)
{
    u32 now = counter_of(sock, direction);
    if (!side->started) {
        side->started = 1;
        side->at = now - (u32)did;
    }
    s32 gap = now - side->at - (u32)did;
    side->at = now;
    if (gap < 0 || (gap == 1 && state_of(sock) != ESTABLISHED)) /* two calls at once; a FIN */
        return 0;
    return gap;
}

/* 1 where the next program has to go on. */
static inline int moved(struct process_t *process, struct move_t *known, u64 did, int known_direction)
{
    u32 cpu = bpf_get_smp_processor_id();
    u64 sock = known->sock, time_ns = bpf_ktime_get_ns();
    struct room_t *room = rooms.lookup(&cpu);
    struct connection_t *connection = connections.lookup(&sock);
    if (!room)
        return 0;
    /* Into memory and back: the verifier would look at all that follows for each form and direction that it knows. */
    struct move_t *move = &room->move;
    *move = *known;
    *(volatile u32 *)&room->direction = known_direction;
    int direction = *(volatile u32 *)&room->direction;
    if (!connection) {
        struct connection_t fresh = {};
        begin_connection(&fresh, process, sock);
        connections.update(&sock, &fresh);
        connection = connections.lookup(&sock);
    }
    if (!connection) {
        count(UNTRACKED);
        return 0;
    }
    if (!connection->local.known) {
        u16 family = 0;
        FIELD(family, sock, sock_common_skc_family);
        read_local(&connection->local, sock, family);
        read_peer(&connection->peer, sock, family);
    }
    struct side_t *side = direction == IN ? &connection->in : &connection->out;
    if (move->many) {
        if (!side->started)
            return 0;
        did = (u32)(counter_of(sock, direction) - side->at);
    }
    if (!did || !passes(connection, side, move, did, direction))
        return 0;
    u64 gap = advance(side, sock, did, direction);
    struct chunk_t *chunk = &room->chunk;
    fill_head(&chunk->head, CHUNK, process);
    if (direction == OUT && move->time_ns)
        chunk->head.time_ns = move->time_ns;
    if (chunk->head.time_ns < side->time_ns)
        chunk->head.time_ns = side->time_ns;
    side->time_ns = chunk->head.time_ns;
    chunk->owner_start_ns = connection->head.start_ns;
    chunk->owner = connection->head.pid;
    chunk->id = connection->id;
    chunk->opened = connection->opened;
    chunk->local = connection->local;
    chunk->peer = connection->peer;
    chunk->direction = direction;
    chunk->latency_ns = move->time_ns ? time_ns - move->time_ns : 0;
    chunk->gap = gap;
    chunk->hidden = 0;
    chunk->offset = __sync_fetch_and_add(&side->offset, gap + did) + gap;
    room->sock = sock;
    return send_data(room, move, side, did);
}

static inline int more(void)
{
    u32 cpu = bpf_get_smp_processor_id(), tid = current_key();
    struct room_t *room = rooms.lookup(&cpu);
    struct rest_t *rest = rests.lookup(&tid);
    if (!room || !rest)
        return 0;
    __builtin_memcpy(room, rest, sizeof(*rest));
    rests.delete(&tid);
    u64 sock = room->sock;
    struct connection_t *connection = connections.lookup(&sock);
    return connection ? copy(room, room->direction == IN ? &connection->in : &connection->out) : 0;
}

/* The program that goes on with what its thread left. */
COPIES(on_more, more())

/* -- calls; the numbers are those of arch/x86/entry/syscalls/syscall_64.tbl -- */

static inline int begin_write(struct call_t *call)
{
    if (!wanted())
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task);
    u32 tid = current_key(), number = call->number;
    struct move_t move = {.sock = tcp_of(task, ARGUMENT(registers, 1)), .at = ARGUMENT(registers, 2)};
    if (!move.sock)
        return 0;
    if (number == NR_sendto && ARGUMENT(registers, 4) & MSG_OOB)
        return 0;
    move.size = ARGUMENT(registers, 3);
    move.form = form_of(number);
    move.many = number == NR_sendmmsg;
    move.time_ns = bpf_ktime_get_ns();
    if (moves.update(&tid, &move))
        count(UNTRACKED);
    return 0;
}

PART(on_write_begin, AT_BEGIN, begin_write(call))

/* What a call that ends now has moved, where it is no write; without a socket it is of no interest. Returns the direction. */
static inline int look_up(struct move_t *move, u32 number)
{
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), flags = 0;
    u32 first = ARGUMENT(registers, 1);
    u64 third = ARGUMENT(registers, 3), fourth = ARGUMENT(registers, 4);
    int is_splice = number == NR_splice, is_copy = is_splice || number == NR_sendfile64; /* sendfile(to, from, …), splice(from, …, to, …) */
    move->form = form_of(number);
    if (is_splice) {
        move->sock = tcp_of(task, third);
        if (move->sock)
            return OUT;
    }
    move->sock = tcp_of(task, first);
    if (is_copy)
        return is_splice ? IN : OUT;
    move->at = ARGUMENT(registers, 2);
    move->size = third;
    if (number == NR_recvfrom || number == NR_recvmmsg)
        flags = fourth;
    if (number == NR_recvmsg)
        flags = third;
    if (flags & NO_STREAM)
        move->sock = 0;
    if (flags & MSG_TRUNC) /* the bytes are thrown away */
        move->form = HIDDEN;
    move->many = number == NR_recvmmsg;
    return IN;
}

static inline int end_call(struct call_t *call)
{
    u32 tid = current_key(), number = call->number;
    s64 result = call->result;
    int direction = OUT, writes = is_write(number);
    struct move_t move = {};
    if (writes) {
        struct move_t *found = moves.lookup(&tid);
        if (!found)
            return 0;
        move = *found;
        moves.delete(&tid);
    }
    struct process_t *process = wanted();
    if (!process || result <= 0)
        return 0;
    if (!writes) {
        if (!is_to_do(0))
            return 0;
        direction = look_up(&move, number);
    }
    return move.sock ? moved(process, &move, result, direction) : 0;
}

COPIES(on_end, end_call(call))

/* -- begin and end -- */

/* The bytes that moved behind the last call that was seen. */
static inline u64 rest_of(struct side_t *side, u64 sock, int direction)
{
    if (!side->started || !side->open)
        return 0;
    s32 rest = counter_of(sock, direction) - side->at;
    return rest > 1 ? rest : 0; /* one: the FIN */
}

/* The current process may be any one. */
static inline void end(u64 sock, int with_rest)
{
    struct connection_t *known = connections.lookup(&sock);
    if (!known)
        return;
    struct connection_t last = *known;
    if (connections.delete(&sock))
        return; /* on another CPU it was first */
    u64 lost = 0;
    if (last.carries == HTTP && with_rest) {
        u64 in = rest_of(&last.in, sock, IN), out = rest_of(&last.out, sock, OUT);
        last.in.offset += in;
        last.out.offset += out;
        lost = in + out;
    }
    if (last.carries == HTTP || last.other)
        send_mark(CLOSE, &last, last.other, lost);
}

static inline int changes(u64 sock, int after)
{
    u16 protocol = 0, port = 0;
    if (after == SYN_SENT) {
        struct process_t *process = wanted();
        FIELD(protocol, sock, sock_sk_protocol);
        if (!process || protocol != IPPROTO_TCP || !is_to_do(1))
            return 0;
        end(sock, 0);
        struct connection_t fresh = {.opened = 1};
        begin_connection(&fresh, process, sock);
        if (connections.update(&sock, &fresh))
            count(UNTRACKED);
        return 0;
    }
    if (after == LISTENING && is_own(current_tgid())) {
        u8 one = 1;
        FIELD(port, sock, sock_common_skc_num);
        own_ports.update(&port, &one);
        return 0;
    }
    if (after != FIN_WAIT1 && after != CLOSED)
        return 0;
    if (after == FIN_WAIT1) { /* close() and not shutdown() of the writing half: nothing more will be read */
        if (!may_read_on(sock))
            end(sock, 1);
        return 0;
    }
    u32 expected = 0;
    FIELD(expected, sock, tcp_sock_rcv_nxt);
    if ((s32)(expected - counter_of(sock, IN)) <= 1) /* else the process may still read */
        end(sock, 1);
    return 0;
}

RAW_TRACEPOINT_PROBE(inet_sock_set_state) { return RUN(changes(ctx->args[0], ctx->args[2])); }

static inline int is_destroyed(u64 sock)
{
    end(sock, 0);
    return 0;
}

RAW_TRACEPOINT_PROBE(tcp_destroy_sock) { return RUN(is_destroyed(ctx->args[0])); }

static inline int ends(void)
{
    u32 tid = current_key();
    moves.delete(&tid);
    return 0;
}

PART_AT(at_exit, AT_EXIT, ends())
