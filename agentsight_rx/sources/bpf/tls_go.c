/* Plaintext of Go's crypto/tls: (*Conn).Write, Read and Close.
 *
 * Arguments, results and the goroutine are in registers (ABIInternal, go/src/cmd/compile/abi-internal.md). The goroutine may
 * change its thread and move its stack during a call, so a call is known by the goroutine, and its end is probed at each ret: a
 * return probe would write to a stack that moves. The entry is passed again after the stack grew, with the same arguments. */

static inline struct call_key_t goroutine_of(struct pt_regs *ctx)
{
    struct call_key_t key = {.sp = GO_ROUTINE(ctx), .tid = current_key() >> 32, .pad = 1};
    return key;
}

static inline int go_begins(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u32 function = cookie & 0xff;
    u64 object = GO_ARGUMENT_1(ctx), buffer = GO_ARGUMENT_2(ctx);
    if (function == GO_CLOSE) {
        forget(process, object, cookie >> 8);
        return 0;
    }
    struct call_key_t key = goroutine_of(ctx);
    struct ssl_call_t call = {.ssl = object, .buffer = buffer, .time_ns = bpf_ktime_get_ns(), .function = function};
    if (calls.update(&key, &call))
        count(UNTRACKED);
    return 0;
}

static inline int go_ends(struct pt_regs *ctx, u64 cookie)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    struct call_key_t key = goroutine_of(ctx);
    struct ssl_call_t *found = calls.lookup(&key);
    u32 function = cookie & 0xff;
    if (!found || found->function != function)
        return 0;
    struct ssl_call_t call = *found;
    calls.delete(&key);
    s64 did = GO_RESULT(ctx);
    if (function == GO_READ && did > 0)
        learn_socket(process, call.ssl, cookie >> 8, call.time_ns);
    if (did > 0)
        return send_data(process, &call, did, function == GO_READ ? IN : OUT, cookie >> 8, SEGMENTS);
    meet(process, call.ssl, cookie >> 8);
    return 0;
}

int on_go_begins(struct pt_regs *ctx) { return HELD(go_begins(ctx, bpf_get_attach_cookie(ctx))); }
int on_go_ends(struct pt_regs *ctx) { return go_on(ctx, HELD(go_ends(ctx, bpf_get_attach_cookie(ctx)))); }
