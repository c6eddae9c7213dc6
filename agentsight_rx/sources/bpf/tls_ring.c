/* Plaintext of rustls with ring. Its functions have no names here, and the compiler chose the layout of what they take, so the
 * first connection shows both. Until then all functions that may be it are probed: at entry each argument may point to a
 * struct with the plaintext that is to be encrypted, and the result is a struct with what was decrypted, whose address is known
 * at return, or from the entry on. The first pair (pointer, length) whose bytes begin as HTTP or a TLS handshake does is taken. User space gets the struct of each record (SAMPLE) until it knows where the type of the record is in it.
 *
 * A cookie holds: offset in the file << 24 | number of the library << 8 | shape. */

enum { SAMPLE = 11 };
enum { LEARNING = 0, TYPED = 1, UNTYPED = 2 };

#define WORDS 8 /* of a struct that are looked at */
#define SAMPLED 32 /* bytes of the plaintext in a sample */
#define SLICES_MOST 16
#define BANNED 4

/* The word before the pair was zero: Rust's mark for a plaintext in one piece. Otherwise the words are (slices, their number,
 * start, end), where `start` and `end` count through all slices. */
#define ONE_PIECE 1

struct ring_t {
    u64 place; /* offset in the file << 24 | argument << 16 | word << 8 | ONE_PIECE; 0: not known */
    u64 banned[BANNED]; /* places that turned out to be something else */
    u32 state;
    u32 type_at; /* byte in the struct */
    u32 type; /* its value for application data */
    u32 tag; /* what a result that is no error begins with, plus 1; 0: not known */
};

struct slice_t {
    u64 at, size;
};

BPF_HASH(rings, u32, struct ring_t, 1024); /* by library << 1 | direction */

#if !RETURNS_PLACE
enum { RING_ENCRYPT = 19, RING_DECRYPT = 20 };

struct result_key_t {
    u64 function; /* offset in the file << 24, and the library: one may call another */
    u32 tid, pad;
};

BPF_TABLE("lru_hash", struct result_key_t, u64, results, 4096);
#endif

#define BYTE(first, i) ((first) >> (8 * (i)) & 0xff)
#define HEAD(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

static inline u32 length_in(u64 first)
{
    return BYTE(first, 1) << 16 | BYTE(first, 2) << 8 | BYTE(first, 3);
}

static inline int begins_out(u64 first, u64 size)
{
    u32 head = first;
    if (head == HEAD(20, 0, 0, 32) || head == HEAD(20, 0, 0, 48)) /* Finished */
        return size == BYTE(first, 3) + 4;
    return head == HEAD('P', 'R', 'I', ' ') || head == HEAD('G', 'E', 'T', ' ') || head == HEAD('P', 'O', 'S', 'T') ||
           head == HEAD('P', 'U', 'T', ' ') || head == HEAD('H', 'E', 'A', 'D') || head == HEAD('P', 'A', 'T', 'C') ||
           head == HEAD('D', 'E', 'L', 'E') || head == HEAD('O', 'P', 'T', 'I');
}

static inline int begins_in(u64 first, u64 size)
{
    u32 head = first, length = length_in(first);
    if (head == HEAD('H', 'T', 'T', 'P'))
        return 1;
    if (BYTE(first, 0) == 0 && BYTE(first, 3) == 4 && BYTE(first, 4) <= 1 && !(first >> 40)) /* SETTINGS */
        return size >= 9;
    if (BYTE(first, 0) == 8) /* EncryptedExtensions: the length of the list is 2 less */
        return length >= 2 && (BYTE(first, 4) << 8 | BYTE(first, 5)) == length - 2 && size >= 6;
    /* Certificate: no context, and the length of the list is 4 less */
    return BYTE(first, 0) == 11 && !BYTE(first, 4) && length > 4 &&
           (BYTE(first, 5) << 16 | BYTE(first, 6) << 8 | BYTE(first, 7)) == length - 4;
}

/* Whether a record whose type is not known is of TLS itself: an alert, or a handshake message of a type that may come. No frame
 * of HTTP/2 that is allowed begins so, and no HTTP/1 message. */
static inline int of_tls(u64 first, u64 size)
{
    u32 kind = BYTE(first, 0);
    if (size == 2)
        return kind == 1 || kind == 2;
    return (kind == 4 || kind == 8 || kind == 11 || kind == 13 || kind == 15 || kind == 20 || kind == 24 || kind == 25) &&
           length_in(first) + 4 <= size;
}

/* The place of the first pair (pointer, length) in one of these structs whose bytes begin as this direction does. It is one loop
 * for all structs and words, since the verifier of Linux 6.12 comes to no end where one loop with TURNS is in another. */
static inline u64 find_place(struct ring_t *ring, u64 offset, u64 *structs, const int count, u32 direction)
{
#pragma clang loop unroll(disable)
    for (TURNS(turn, count * WORDS)) {
        u64 number = turn / WORDS, word = turn % WORDS, before = 1, first = 0;
        struct slice_t pair = {};
        if (word == WORDS - 1) /* there is no pair behind the last word */
            continue;
        u64 at = structs[count == 1 ? 0 : number] + word * 8;
        if (bpf_probe_read_user(&pair, sizeof(pair), (void *)at))
            continue;
        if (pair.at < 4096 || ADDRESS(pair.at) >> ADDRESS_BITS || pair.size < 6 || pair.size > SEGMENT)
            continue;
        if (bpf_probe_read_user(&first, sizeof(first), (void *)pair.at))
            continue;
        if (!(direction == OUT ? begins_out(first, pair.size) : begins_in(first, pair.size)))
            continue;
        if (word)
            bpf_probe_read_user(&before, sizeof(before), (void *)at - 8);
        u64 place = offset << 24 | number << 16 | word << 8 | (before ? 0 : ONE_PIECE);
        if (place == ring->banned[0] || place == ring->banned[1] || place == ring->banned[2] || place == ring->banned[3])
            continue;
        return place;
    }
    return 0;
}

/* The place, read back: the verifier knows each value that find_place() may return, and would look at the rest for each. */
static inline u64 keep_place(struct ring_t *ring, u64 place)
{
    if (place)
        ring->place = place;
    return *(volatile u64 *)&ring->place;
}

/* The struct of a record and its first bytes, for user space to learn the layout. */
static inline void send_sample(struct process_t *process, u64 place, u64 at, struct slice_t *piece, u32 library, u32 direction)
{
    struct room_t *room = enter_room();
    if (!room)
        return;
    struct chunk_t *chunk = &room->chunk;
    fill_head(&chunk->head, SAMPLE, process);
    chunk->ssl = place;
    chunk->offset = piece->size;
    chunk->seq = chunk->latency_ns = chunk->sock = 0;
    chunk->lost = 0;
    chunk->direction = direction;
    chunk->library = library;
    chunk->size = WORDS * 8 + SAMPLED;
    bpf_probe_read_user(chunk->data, WORDS * 8, (void *)at);
    bpf_probe_read_user(chunk->data + WORDS * 8, AT_MOST(piece->size, SAMPLED), (void *)piece->at);
    SEND(chunk, sizeof(*chunk) - SEGMENT + WORDS * 8 + SAMPLED, 0);
    leave_room(room);
}

/* Whether this record holds application data. */
static inline int is_content(struct process_t *process, struct ring_t *ring, u64 at, struct slice_t *piece, u32 key)
{
    if (ring->state == TYPED) {
        u8 type = 0;
        bpf_probe_read_user(&type, 1, (void *)at + ring->type_at);
        return type == (u8)ring->type;
    }
    u64 first = 0;
    if (piece->size >= 8)
        bpf_probe_read_user(&first, 8, (void *)piece->at);
    else
        bpf_probe_read_user(&first, 2, (void *)piece->at);
    if (ring->state == LEARNING)
        send_sample(process, ring->place, at, piece, key >> 1, key & 1);
    return !of_tls(first, piece->size);
}

static inline int ring_begins(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u32 library = cookie >> 8 & 0xffff, key = library << 1 | OUT, tid = current_key();
#if !RETURNS_PLACE
    u32 shape = cookie & 0xff;
    if (shape != RING_ENCRYPT) {
        struct result_key_t call = {.function = cookie >> 8, .tid = tid};
        u64 result = RESULT_PLACE(ctx);
        results.update(&call, &result);
    }
    if (shape == RING_DECRYPT)
        return 0;
#endif
    struct ring_t *ring = rings.lookup(&key);
    if (!ring)
        return 0;
    u64 place = ring->place;
    if (place && place >> 24 != cookie >> 24)
        return 0;
    u64 one = PT_REGS_PARM1(ctx), two = PT_REGS_PARM2(ctx), three = PT_REGS_PARM3(ctx);
    u64 four = PT_REGS_PARM4(ctx), five = PT_REGS_PARM5(ctx), six = PT_REGS_PARM6(ctx);
    asm volatile("" : "+r"(one), "+r"(two), "+r"(three));
    asm volatile("" : "+r"(four), "+r"(five), "+r"(six));
    u64 structs[6] = {one, two, three, four, five, six};
    if (!place) {
        place = keep_place(ring, find_place(ring, cookie >> 24, structs, 6, OUT));
        if (!place)
            return 0;
    }
    u32 argument = place >> 16 & 7, word = place >> 8 & 7;
    u64 at = argument == 0 ? one : argument == 1 ? two : argument == 2 ? three : argument == 3 ? four : argument == 4 ? five : six;
    u64 pieces = at + word * 8, several = 0;
    struct {
        u64 count, start, end;
    } window = {};
    struct slice_t piece = {};
    if (bpf_probe_read_user(&piece, sizeof(piece), (void *)pieces))
        goto lost;
    window.count = 1;
    window.end = piece.size;
    if (place & ONE_PIECE)
        bpf_probe_read_user(&several, sizeof(several), (void *)pieces - 8);
    if (several) {
        bpf_probe_read_user(&window, sizeof(window), (void *)pieces);
        pieces = several;
        if (ring->state == TYPED && !is_content(process, ring, at, &piece, key))
            return 0;
    } else if (!is_content(process, ring, at, &piece, key)) {
        return 0;
    }
    u64 skip = window.start, left = window.end - window.start;
    if (window.end < window.start || left > SEGMENT)
        goto lost;
#pragma clang loop unroll(disable)
    for (TURNS(i, SLICES_MOST)) {
        if (!left || i >= window.count || bpf_probe_read_user(&piece, sizeof(piece), (void *)pieces + i * 16))
            break;
        if (skip >= piece.size) {
            skip -= piece.size;
            continue;
        }
        u64 part = piece.size - skip;
        if (part > left)
            part = left;
        seal(ctx, process, library, piece.at + skip, part, APPLICATION_DATA);
        skip = 0;
        left -= part;
        asm volatile("" : "+r"(skip), "+r"(left));
    }
    if (!left)
        return 0;
    struct sealed_t *before = sealed.lookup(&tid);
    if (before) { /* a gap shows there */
        before->bytes += left;
        before->records++;
    }
lost:
    count(LOST);
    return 0;
}

static inline int ring_ends(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u32 library = cookie >> 8 & 0xffff, key = library << 1 | IN, tid = current_key();
    struct ring_t *ring = rings.lookup(&key);
    if (!ring)
        return 0;
    u64 place = ring->place, at = RETURNS_PLACE ? RESULT_PLACE(ctx) : 0;
    if (place && place >> 24 != cookie >> 24)
        return 0;
#if !RETURNS_PLACE
    struct result_key_t call = {.function = cookie >> 8, .tid = tid};
    u64 *result = results.lookup(&call);
    if (!result) /* the call began before it was probed */
        return 0;
    at = *result;
    results.delete(&call);
#endif
    if (!place) {
        place = keep_place(ring, find_place(ring, cookie >> 24, &at, 1, IN));
        if (!place)
            return 0;
    }
    struct slice_t piece = {};
    if (bpf_probe_read_user(&piece, sizeof(piece), (void *)at + (place >> 8 & 7) * 8))
        return 0;
    u8 tag = 0;
    bpf_probe_read_user(&tag, 1, (void *)at);
    if (piece.size > SEGMENT || (ring->tag && tag + 1 != ring->tag)) { /* an error: there is no plaintext */
        count(LOST);
        return 0;
    }
    struct received_t *last = received.lookup(&tid);
    struct ssl_call_t as_read = {.ssl = last ? last->sock : 0, .buffer = piece.at, .time_ns = bpf_ktime_get_ns()};
    if (!is_content(process, ring, at, &piece, key)) {
        if (as_read.ssl) {
            meet(process, as_read.ssl, library);
            learn_socket(process, as_read.ssl, library, 0);
        }
        return 0;
    }
    if (!as_read.ssl)
        count(UNTRACKED);
    else if (piece.size)
        send_data(process, &as_read, piece.size, IN, library, 1);
    return 0;
}

int on_ring_begins(struct pt_regs *ctx) { return HELD(ring_begins(ctx, bpf_get_attach_cookie(ctx))); }
int on_ring_ends(struct pt_regs *ctx) { return HELD(ring_ends(ctx, bpf_get_attach_cookie(ctx))); }
