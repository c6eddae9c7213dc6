/* Plaintext of programs whose TLS was found by its AEAD functions (aws-lc), one call a TLS record.
 *
 * Such a call knows no connection. What a thread opens came from the socket that it received from last, and what it seals goes to
 * the socket that it sends to next: a sealed record is sent to user space at once, as the cipher overwrites it, and SENT follows
 * with the socket. `epoch` of a thread counts its sends, so records whose SENT was lost are not taken for another connection's.
 *
 * Both versions of TLS say in the additional data that this is a record of theirs (RFC 8446 section 5.2, RFC 5246 section
 * 6.2.3.3). In TLS 1.3 the type is the last byte of the plaintext that is not zero. */

#define APPLICATION_DATA 23

struct opening_t {
    u64 out, size_at, size, time_ns;
    u32 type; /* 0: it is inside */
    u32 pad;
};

struct sealed_t {
    u64 bytes;
    u32 records, epoch;
};

BPF_TABLE("lru_hash", struct call_key_t, struct opening_t, openings, 16384);
BPF_TABLE("lru_hash", u32, struct sealed_t, sealed, 16384); /* a thread: what it sealed and has not sent */
BPF_TABLE("lru_hash", u32, u64, outermost, 16384); /* a thread: the stack pointer of the AEAD call that it is in */

/* 0: no TLS record. INSIDE: its type is in the plaintext. */
#define INSIDE 0x100

static inline u32 type_by(u64 at, u64 size)
{
    u8 data[13] = {};
    if (size == 5) {
        bpf_probe_read_user(data, 5, (void *)at);
        return data[0] == APPLICATION_DATA && data[1] == 3 && data[2] == 3 ? INSIDE : 0;
    }
    if (size != 13)
        return 0;
    bpf_probe_read_user(data, 13, (void *)at);
    return data[9] == 3 && data[10] == 3 ? data[8] : 0;
}

/* Cut padding and the type off `size`; the type, or 0 if it is not in the last 64 bytes. */
static inline u32 type_inside(u64 at, u64 *size)
{
    u64 left = *size;
    u8 last = 0;
#pragma clang loop unroll(disable)
    for (TURNS(i, 64)) {
        if (!left)
            return 0;
        left--;
        asm volatile("" : "+r"(left)); /* or the compiler counts the turns in it, and each begins with another number */
        bpf_probe_read_user(&last, 1, (void *)(at + left));
        if (last)
            break;
    }
    *size = left;
    return last;
}

/* The type as one more slice of the plaintext, behind the content. */
static inline u32 type_behind(u64 at)
{
    u8 type = 0;
    bpf_probe_read_user(&type, 1, (void *)at);
    return type;
}

static inline int seal(struct pt_regs *ctx, struct process_t *process, u32 library, u64 in, u64 size, u32 type)
{
    if (type == INSIDE)
        type = type_inside(in, &size);
    if (type != APPLICATION_DATA || !size)
        return 0;
    u64 id = current_key();
    u32 tid = id;
    struct sealed_t fresh = {}, *before = sealed.lookup_or_try_init(&tid, &fresh);
    struct room_t *room = enter_room();
    struct chunk_t *chunk = room ? &room->chunk : 0;
    if (!before)
        count(UNTRACKED);
    if (!before || !room)
        goto out;
    fill_head(&chunk->head, SEALED, process);
    chunk->ssl = PT_REGS_PARM1(ctx);
    chunk->offset = before->bytes;
    chunk->seq = before->records;
    chunk->latency_ns = before->epoch;
    chunk->sock = 0;
    chunk->direction = OUT;
    chunk->library = library;
    u64 part = AT_MOST(size, SEGMENT);
    chunk->lost = size - part;
    chunk->size = part;
    if (bpf_probe_read_user(chunk->data, part, (void *)in))
        count(LOST);
    else
        SEND(chunk, sizeof(*chunk) - SEGMENT + part, 0);
out:
    if (before) {
        before->bytes += size;
        before->records++;
    }
    if (room)
        leave_room(room);
    return 0;
}

static inline int aead_begins(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u32 function = cookie & 0xff, tid = current_key();
    u64 sp = PT_REGS_SP(ctx), *around = outermost.lookup(&tid), stack[7] = {};
    u64 out = PT_REGS_PARM2(ctx), third = PT_REGS_PARM3(ctx), sixth = PT_REGS_PARM6(ctx);
    asm volatile("" : "+r"(third), "+r"(sixth));
    if (around && *around > sp) /* open calls open_gather, in some builds */
        return 0;
    FURTHER_ARGUMENTS(ctx, sp, stack);
    u32 scatter = function == SEAL_SCATTER;
    u64 data = scatter ? stack[5] : stack[2], data_size = scatter ? stack[6] : stack[3];
    u32 type = type_by(data, data_size);
    if (!type)
        return 0;
    outermost.update(&tid, &sp);
    struct call_key_t key = {.sp = sp + RETURN_ADDRESS, .tid = tid};
    struct opening_t call = {.out = out, .time_ns = bpf_ktime_get_ns(), .type = type};
    if (function == SEAL)
        seal(ctx, process, cookie >> 8, stack[0], stack[1], type);
    else if (scatter)
        seal(ctx, process, cookie >> 8, stack[1], stack[2], stack[4] == 1 ? type_behind(stack[3]) : type);
    else if (function == OPEN)
        call.size_at = third;
    else
        call.size = sixth;
    if (openings.update(&key, &call))
        count(UNTRACKED);
    return 0;
}

static inline int aead_ends(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u32 function = cookie & 0xff, tid = current_key();
    struct call_key_t key = {.sp = PT_REGS_SP(ctx), .tid = tid};
    struct opening_t *found = openings.lookup(&key);
    if (!found)
        return 0;
    struct opening_t call = *found;
    openings.delete(&key);
    outermost.delete(&tid);
    if ((int)PT_REGS_RC(ctx) != 1 || function == SEAL || function == SEAL_SCATTER)
        return 0;
    u64 size = call.size;
    struct received_t *last = received.lookup(&tid);
    if (call.size_at)
        bpf_probe_read_user(&size, sizeof(size), (void *)call.size_at);
    u32 type = call.type == INSIDE ? type_inside(call.out, &size) : call.type;
    struct ssl_call_t as_read = {.ssl = last ? last->sock : 0, .buffer = call.out, .time_ns = call.time_ns};
    if (!as_read.ssl) { /* no socket was seen: it is not known whose it is */
        if (type == APPLICATION_DATA)
            count(UNTRACKED);
        return 0;
    }
    if (type != APPLICATION_DATA)
        meet(process, as_read.ssl, cookie >> 8);
    learn_socket(process, as_read.ssl, cookie >> 8, call.time_ns);
    if (type == APPLICATION_DATA && size)
        send_data(process, &as_read, size, IN, cookie >> 8, 1); /* a record has at most 16 KiB */
    return 0;
}

int on_aead_begins(struct pt_regs *ctx) { return HELD(aead_begins(ctx, bpf_get_attach_cookie(ctx))); }
int on_aead_ends(struct pt_regs *ctx) { return HELD(aead_ends(ctx, bpf_get_attach_cookie(ctx))); }
