/* Which processes are of interest: one set of tgids, decided at fork and exec, read by every other probe.
 *
 * Compile-time switches: ALL (every process), TREE (children follow), BY_SESSION=SID, BY_UID=UID (a further condition).
 * O_struct_field are byte offsets of this kernel, from its BTF. */

#include <linux/types.h>

#define FIELD(into, base, name) bpf_probe_read_kernel(&(into), sizeof(into), (void *)(base) + O_##name)

enum { SEEN, LOST, UNTRACKED, COUNTS };

struct process_t {
    u64 start_ns; /* CLOCK_BOOTTIME at its start: with the pid, the identity of the process; 0 = not looked up yet */
};

struct comm_t {
    char text[16];
};

/* What every record begins with. */
struct head_t {
    u64 time_ns; /* CLOCK_MONOTONIC */
    u64 start_ns;
    u32 kind;
    u32 pid;
    u32 tid;
    u32 uid;
    char comm[16]; /* of the process, never of one of its threads */
};

BPF_HASH(tracked, u32, struct process_t, 65536);
BPF_HASH(comms, struct comm_t, u8, 256);
BPF_PERCPU_ARRAY(counts, u64, COUNTS);

static inline void count(int which)
{
    u64 *found = counts.lookup(&which);
    if (found)
        __sync_fetch_and_add(found, 1); /* a uprobe may be preempted by another on its CPU */
}

static inline int uid_fits(void)
{
#ifdef BY_UID
    return (u32)bpf_get_current_uid_gid() == BY_UID;
#else
    return 1;
#endif
}

static inline u64 leader_of(u64 task)
{
    u64 leader = 0;
    FIELD(leader, task, task_struct_group_leader);
    return leader;
}

static inline int session_fits(u64 task)
{
#ifdef BY_SESSION
    u64 signal = 0, session = 0;
    u32 number = 0;
    FIELD(signal, task, task_struct_signal);
    bpf_probe_read_kernel(&session, sizeof(session), (void *)signal + O_signal_struct_pids + 3 * 8);
    FIELD(number, session, pid_numbers);
    return number == BY_SESSION;
#else
    return 0;
#endif
}

static inline void track(u32 tgid, u64 leader)
{
    struct process_t process = {};
    FIELD(process.start_ns, leader, task_struct_start_boottime);
    if (tracked.update(&tgid, &process))
        count(UNTRACKED);
}

/* In the parent, before the child can run. */
static inline int follow_fork(u64 child, u32 parent_tgid)
{
    u32 tgid = 0, tid = 0;
    FIELD(tgid, child, task_struct_tgid);
    FIELD(tid, child, task_struct_pid);
    if (tgid != tid)
        return 0; /* a thread */
#ifdef ALL
    track(tgid, child);
    return 1;
#else
    if (session_fits(child)) {
        track(tgid, child);
        return 1;
    }
#ifdef TREE
    if (tracked.lookup(&parent_tgid)) {
        track(tgid, child);
        return 1;
    }
#endif
    return 0;
#endif
}

/* At exec the process may become interesting by its new name or its session. */
static inline int follow_exec(u64 task)
{
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct comm_t comm = {};
    if (tracked.lookup(&tgid))
        return 1;
#ifndef ALL
    bpf_get_current_comm(&comm.text, sizeof(comm.text));
    if (!comms.lookup(&comm) && !session_fits(task))
        return 0;
#endif
    track(tgid, leader_of(task));
    return 1;
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

static inline void fill_head(struct head_t *head, u32 kind, struct process_t *process, u64 leader)
{
    u64 id = bpf_get_current_pid_tgid();
    if (!process->start_ns)
        FIELD(process->start_ns, leader, task_struct_start_boottime);
    head->time_ns = bpf_ktime_get_ns();
    head->start_ns = process->start_ns;
    head->kind = kind;
    head->pid = id >> 32;
    head->tid = id;
    head->uid = bpf_get_current_uid_gid();
    bpf_probe_read_kernel(&head->comm, sizeof(head->comm), (void *)leader + O_task_struct_comm);
}
