/* Which processes are watched, decided at fork and exec; and the programs that the kernel runs for every process: they go on in
 * those of the sources where the process is watched.
 *
 * Switches besides those of track.h: ALL (every process), else NEEDED (the bits that a process must fit, 0: none is watched for
 * them); MEMBERS (who is in a control group of `groups` is watched besides); TREE (what a process fits, its children fit);
 * BY_SESSION; BY_FILE (a source may choose a process at its exec). */

/* What a process fits; sources/target.py has the same numbers. The preprocessor reads them too. */
#define PID 1
#define NAME 2
#define SESSION 4
#define MEMBER 8

#ifndef NEEDED
#define NEEDED 0
#endif
#if NEEDED & (NEEDED - 1)
#define SEVERAL /* a process may fit a part of what it must fit */
#endif

/* Marks of a name in `comms`. */
enum { LISTED = 1, NAMED = 2, WATCHED = 4 };

struct comm_t {
    char text[16];
};

#ifdef SEVERAL
BPF_HASH(partly, u32, u32, 65536); /* tgid -> what it fits */
#endif
BPF_HASH(comms, struct comm_t, u8, 256);
#ifdef MEMBERS
BPF_HASH(groups, u64, u8, 1024);
#endif

static inline int session_fits(u64 task)
{
#ifdef BY_SESSION
    u64 signal = 0;
    int first = 0;
    struct settings_t *set = settings.lookup(&first);
    FIELD(signal, task, task_struct_signal);
    return set && session_of(signal) == set->session;
#else
    return 0;
#endif
}

static inline int group_is_chosen(void)
{
#ifdef MEMBERS
    u64 group = bpf_get_current_cgroup_id();
    return groups.lookup(&group) != 0;
#else
    return 0;
#endif
}

/* A process fits this much: watch it, or remember what it fits. */
static inline int enlist(u32 tgid, u64 leader, u32 met)
{
    asm volatile("" : "+r"(met)); /* or the compiler joins the pointers behind the bits, which the verifier refuses */
    if (met & MEMBER || (NEEDED && (met & NEEDED) == NEEDED)) {
        track(tgid, leader);
#ifdef SEVERAL
        partly.delete(&tgid);
#endif
        return 1;
    }
#ifdef SEVERAL
    if (NEEDED & PID && !(met & PID)) /* and never will: this is inherited alone */
        return 0;
    if (met && partly.update(&tgid, &met))
        count(UNTRACKED);
#endif
    return 0;
}

static inline u32 met_so_far(u32 tgid)
{
#ifdef SEVERAL
    u32 *met = partly.lookup(&tgid);
    return met ? *met : 0;
#else
    return 0;
#endif
}

/* In the parent, before the child can run. */
static inline int follow_fork(u64 parent, u64 child)
{
    u32 tgid = tgid_of(child), parent_tgid = 0, met = 0;
    if (!tgid || leader_of(child) != child) /* outside, or a thread */
        return 0;
#ifdef ALL
    track(tgid, child);
    return 1;
#else
    if (session_fits(child))
        met |= SESSION;
    if (group_is_chosen()) /* a child begins in the group of its parent */
        met |= MEMBER;
#ifdef TREE
    parent_tgid = tgid_of(parent);
    if (tracked.lookup(&parent_tgid)) {
        track(tgid, child);
        return 1;
    }
    met |= met_so_far(parent_tgid);
#endif
    return enlist(tgid, child, met);
#endif
}

/* At exec the process may become interesting by its new name, its session or its control group. */
static inline int follow_exec(u64 task)
{
    u32 tgid = current_tgid();
    if (!tgid)
        return 0;
#ifdef ALL
    if (!tracked.lookup(&tgid))
        track(tgid, leader_of(task));
    return 1;
#else
    u32 met = met_so_far(tgid), watched = tracked.lookup(&tgid) != 0;
    struct comm_t comm = {};
    bpf_get_current_comm(&comm.text, sizeof(comm.text));
    u8 *name = comms.lookup(&comm);
    if (name)
        met |= NAME;
    if (session_fits(task))
        met |= SESSION;
    if (group_is_chosen())
        met |= MEMBER;
    if (!watched)
        watched = enlist(tgid, leader_of(task), met);
    if (name)
        *name |= watched ? NAMED | WATCHED : NAMED;
    return watched;
#endif
}

/* -- moments of a process -- */

/* Of a chain that was entered: go on where the process is watched. */
static inline int go_on_at(struct bpf_raw_tracepoint_args *ctx, u32 moment, int watched)
{
    if (watched)
        next_moment(ctx, moment);
    else
        leave_chain(MOMENT);
    return 0;
}

RAW_TRACEPOINT_PROBE(sched_process_fork)
{
    enter_chain(MOMENT);
    return go_on_at(ctx, AT_FORK, HELD(follow_fork(ctx->args[0], ctx->args[1])));
}

RAW_TRACEPOINT_PROBE(sched_process_exec)
{
    enter_chain(MOMENT);
    int watched = HELD(follow_exec(ctx->args[0]));
#ifdef BY_FILE
    watched = 1;
#endif
    return go_on_at(ctx, AT_EXEC, watched);
}

/* The last thread is gone. */
static inline int ended(u64 task)
{
    u64 signal = 0;
    int live = 1;
    FIELD(signal, task, task_struct_signal);
    FIELD(live, signal, signal_struct_live);
    return live == 0;
}

/* A thread ends. The first one that finds no other alive ends the process: only here is that decided, since threads end at the same
 * time on several CPUs, and a later program may find another answer. */
static inline int leaves(u64 task)
{
    u32 tgid = current_tgid();
    struct process_t *process = tracked.lookup(&tgid);
    if (process) {
        if (ended(task))
            __sync_val_compare_and_swap(&process->last, 0, current_key());
        return 1;
    }
#ifdef SEVERAL
    if (partly.lookup(&tgid) && ended(task))
        partly.delete(&tgid);
#endif
    return 0;
}

RAW_TRACEPOINT_PROBE(sched_process_exit)
{
    enter_chain(MOMENT);
    return go_on_at(ctx, AT_EXIT, HELD(leaves(ctx->args[0])));
}

/* Behind the programs of all sources. */
static inline int forget(void)
{
    struct process_t *process = ending();
    u32 tgid = current_tgid();
    if (process)
        tracked.delete(&tgid);
    return 0;
}

int at_last(struct bpf_raw_tracepoint_args *ctx)
{
    HELD(forget());
    leave_chain(MOMENT);
    return 0;
}

/* -- system calls; nothing of the CPU is used that another program may change, so it is not held -- */

static inline int passes(struct call_t *call, u32 side)
{
    u32 tgid = current_tgid();
    enter_chain(CALL);
    if (tracked.lookup(&tgid))
        next_call(call, side);
    else
        leave_chain(CALL);
    return 0;
}

int call_begins(struct call_t *call) { return passes(call, AT_BEGIN); }
int call_ends(struct call_t *call) { return passes(call, AT_END); }
