/* What the tracker and the programs of every source have in common: the set of watched processes, records, and the way from one
 * program to the next.
 *
 * Which processes are watched is decided once, by tracker.c, at fork and exec. A source only reads the set, in `tracked`. The
 * kernel runs the tracker's programs for every process of the machine; they leave at once where it is not watched. For one that
 * is, they go on in the programs of the sources that asked for this system call or this moment, one behind the other: see PART.
 *
 * Compile-time switches: SLOT (the number of the source, see sources/kernel/tracker.py); BY_UID and BY_CGROUP, further conditions
 * at each event; CALLS (the source looks at system calls); IN_NAMESPACE (user space runs in a PID namespace below the first one);
 * those of tracker.c. O_struct_field are byte offsets of this kernel, from its BTF. What differs from run to run is in `settings`:
 * a compiled program is used again. */

#include <linux/types.h>
#include <uapi/linux/ptrace.h>
#include <asm/machine.h>

#define RING_PAGES 2 /* a ring gets its size when it is made: see kernel/ring.py */

#define FIELD(into, base, name) bpf_probe_read_kernel(&(into), sizeof(into), (void *)(base) + O_##name)

enum { LOST, UNTRACKED, COUNTS }; /* sources/kernel/tracker.py knows them */

/* Of the programs of a source, and of its numbers: the tracker's come first, behind them those of each source. */
#define SLOTS 8 /* sources/kernel/tracker.py knows it */
#ifdef SLOT
#define PLACE (SLOT + 1)
#else
#define PLACE 0
#endif

struct process_t {
    u64 start_ns; /* CLOCK_BOOTTIME at its start: with the pid, the identity of the process; 0 = not looked up yet */
    u64 peak;     /* only of process.c: pages that the kernel counted as the most before its newest program began */
    u64 since_ns; /* CLOCK_MONOTONIC when a program began to watch it; smaller than any time where user space did */
    u64 last;     /* the thread that ends the process, see leaves() of tracker.c; 0: it goes on */
    u32 pid;      /* its key */
    u32 pad;
};

/* What every record begins with. */
struct head_t {
    u64 time_ns; /* CLOCK_MONOTONIC */
    u64 start_ns;
    u32 kind; /* the highest byte: the PLACE of its source, by which user space knows whose it is */
    u32 pid;
    u32 tid;
    u32 uid;
    char comm[16]; /* of the process, never of one of its threads */
};

struct settings_t {
    u64 group;   /* of BY_CGROUP, and how deep it is below the root */
    u32 level;
    u32 own;     /* the process that captures */
    u32 session; /* of BY_SESSION */
    u32 uid;     /* of BY_UID */
    u32 closed;  /* bits of the sources for which nothing is watched any more */
    u32 zero;    /* always */
    u32 inode;   /* of IN_NAMESPACE: of the PID namespace, and how deep it is below the first one */
    u32 depth;
};

BPF_ARRAY(settings, struct settings_t, 1);
BPF_HASH(tracked, u32, struct process_t, 65536);
BPF_PERCPU_ARRAY(counts, u64, (SLOTS + 1) * COUNTS); /* this table and those above are the tracker's, and shared */

static inline void count(int which)
{
    which += PLACE * COUNTS;
    u64 *found = counts.lookup(&which);
    if (found)
        __sync_fetch_and_add(found, 1); /* a uprobe may be preempted by another on its CPU */
}

/* What the tracepoints at the begin and at the end of a system call hand over. */
struct call_t {
    u64 common;
    u32 number;
    u32 pad;
    s64 result; /* only at the end */
};

/* An argument of the system call that the current thread is in, also at its end: so nothing is kept from its begin. */
#define ARGUMENT(registers, at) (*(u64 *)((registers) + offsetof(struct pt_regs, ARGUMENT_##at)))

/* The records of several sources go into one ring. It is in a table, so that a larger one can take its place: see kernel/ring.py;
 * both are the tracker's. */
#ifdef SLOT
BPF_RINGBUF_OUTPUT(first_ring, RING_PAGES);
BPF_ARRAY_OF_MAPS(ring, "first_ring", 1);

static inline void *ring_now(void)
{
    int first = 0;
    return ring.lookup(&first);
}

/* Whether it was sent. No function: `size` is found last, so that the verifier knows its limit still. */
#define SEND(record, size, flags)                                                             \
    ({                                                                                        \
        void *into = ring_now();                                                              \
        int sent = into && !bpf_ringbuf_output(into, record, size, flags);                    \
        if (!sent)                                                                            \
            count(LOST);                                                                      \
        sent;                                                                                 \
    })
#endif

/* A number of bytes for a helper: `size`, but `most` where it is more. The verifier must know the limit of the very register that
 * the helper gets, and a compiler may compare a copy of it, or a copy less two. So the instructions are written here. The usual
 * way comes first: what the verifier saw of it holds for `most` too, and it looks at the rest once. */
#define AT_MOST(size, most)                                                                                        \
    ({                                                                                                             \
        u64 limited = (size);                                                                                      \
        asm volatile("if %0 > %1 goto +1; goto +1; %0 = %1" : "+r"(limited) : "i"(most));                          \
        limited;                                                                                                   \
    })

/* A number as it is, of which the compiler knows nothing: it computes it before, and not again from where it came. */
#define UNKNOWN(value) ({ asm volatile("" : "+r"(value)); value; })

/* `for (TURNS(i, most))` has `most` turns at most, i = 0, 1, …
 *
 * The verifier looks at each turn of a loop: at 128 times the branches of walk(). With MAY_GOTO the kernel has an instruction
 * that may leave a loop (after 8 million turns, or a quarter of a second; ours have at most hundreds), and so the verifier is
 * done once a turn begins like one before. For that `i` must be no number that it knows: it begins as a zero from a map. */
#ifdef MAY_GOTO
static inline u32 first_turn(void)
{
    int first = 0;
    struct settings_t *set = settings.lookup(&first);
    return set ? set->zero : -1; /* without the settings nothing is watched, and no turn needed */
}

/* may_goto: operation, registers, offset (to the label, counted in instructions from the next one), no value. */
#define GOES_ON()                                                                                                  \
    ({                                                                                                             \
        __label__ out, on;                                                                                         \
        int goes_on = 1;                                                                                           \
        asm volatile goto("1: .byte 0xe5, 0; .long ((%l[out] - 1b - 8) / 8) & 0xffff; .short 0" : : : : out);      \
        goto on;                                                                                                   \
    out:                                                                                                           \
        goes_on = 0;                                                                                               \
    on:                                                                                                            \
        goes_on;                                                                                                   \
    })
/* The compiler may not compute it from something else that it counts, with a number at its begin that the verifier knows. It has
 * 64 bits, as only so the verifier learns from the comparison how large it is. */
#define TURNS(i, most) u64 i = first_turn(); GOES_ON() && UNKNOWN(i) < (most); i++
#else
#define TURNS(i, most) u32 i = 0; i < (most); i++
#endif

/* Newer kernels may preempt a program, and then another on its CPU begins in the middle of it. While a CPU is held nothing else
 * runs on it, so what belongs to a CPU belongs to one program: buffers of ours, and the stack of a program, which the kernel has
 * once for each CPU (since 6.13), also where it does not skip a probe that is preempted. These are functions of the kernel: the
 * calls get their numbers once they are compiled (kernel/loaded.py). Programs do not go on in another one meanwhile. */
#ifdef HOLDS_CPU
static void (*hold_cpu)(void) = (void *)0x70000001;
static void (*release_cpu)(void) = (void *)0x70000002;
#define HELD(call)         \
    ({                     \
        hold_cpu();        \
        int held = (call); \
        release_cpu();     \
        held;              \
    })
#else
#define HELD(call) (call)
#endif

/* A kernel that preempts programs at tracepoints does not run one while the same one is preempted on its CPU. With RUNS each
 * program is loaded and attached so many times: the first run that is not skipped does the work. Most programs need no more for
 * that, as the next runs find nothing left to do, or do the same again. The others ask is_to_do(), once in each run and in the
 * same thread: 0 behind a run that did the work. `place` keeps programs apart of which one may interrupt the other.
 *
 * An event is lost where all runs of a program are in the middle on one CPU. How many were at once is counted. */
#ifdef RUNS
static u64 (*this_run)(void) = (void *)0x70000003; /* becomes a number when the program is loaded, from 0 on */
BPF_HASH(done, u64, u8, 16384); /* in these threads the work is done, and the last run is to come */
#define PROGRAMS 32 /* of one source; kernel/loaded.py knows it */
BPF_PERCPU_ARRAY(depth, u64, PROGRAMS);
BPF_PERCPU_ARRAY(deepest, u64, PROGRAMS);
static inline void goes_in(u64 *now, u64 *most)
{
    u64 before = now ? __sync_fetch_and_add(now, 1) : 0;
    if (most && *most <= before)
        *most = before + 1;
}
static inline void comes_out(u64 *now)
{
    if (now)
        __sync_fetch_and_add(now, -1);
}
static inline void enter_run(u32 program) { goes_in(depth.lookup(&program), deepest.lookup(&program)); }
static inline void leave_run(u32 program) { comes_out(depth.lookup(&program)); }
#define RUN(call)                      \
    ({                                 \
        enum { program = __COUNTER__ }; \
        enter_run(program);            \
        int ran = HELD(call);          \
        leave_run(program);            \
        ran;                           \
    })
#else
#define RUN(call) HELD(call)
#endif
static inline int is_to_do(u32 place)
{
#ifdef RUNS
    u64 key = (u32)bpf_get_current_pid_tgid() | (u64)place << 32, run = this_run();
    u8 one = 1;
    if (run == RUNS - 1)
        return done.delete(&key) != 0;
    if (run && done.lookup(&key))
        return 0;
    if (done.update(&key, &one))
        count(UNTRACKED);
#endif
    return 1;
}

/* The programs behind this one. A row has one place for each source: there stands the program that follows those of the source
 * before, and in the first place the one that is first. So a program jumps once, and where no other follows, it returns. The rows
 * are the system calls, by their numbers, at their begin and at their end; and the moments of a process. */
#define CALLS_MOST 512 /* numbers of system calls */

enum { AT_FORK, AT_EXEC, AT_EXIT, MOMENTS };
enum { AT_BEGIN, AT_END };

BPF_PROG_ARRAY(next_calls, CALLS_MOST * 2 * SLOTS);
BPF_PROG_ARRAY(next_moments, MOMENTS * SLOTS);

/* No number that the verifier knows, or each change of a table would change the code of the programs that jump there. */
static inline u32 row_of(u32 moment)
{
    int first = 0;
    struct settings_t *set = settings.lookup(&first);
    return set ? (moment + set->zero) * SLOTS : 0;
}

/* Of each CPU: in how many runs the tracker's programs are in the middle, up to the end of the last program that they lead to. */
enum { CALL, MOMENT, CHAINS };
#ifdef RUNS
BPF_PERCPU_ARRAY(chain_depth, u64, CHAINS);
BPF_PERCPU_ARRAY(chain_deepest, u64, CHAINS);
static inline void enter_chain(u32 chain) { goes_in(chain_depth.lookup(&chain), chain_deepest.lookup(&chain)); }
static inline void leave_chain(u32 chain) { comes_out(chain_depth.lookup(&chain)); }
#else
static inline void enter_chain(u32 chain) {}
static inline void leave_chain(u32 chain) {}
#endif

/* While the CPU is held the kernel takes no jump: these come behind the work, and are the last that a program does. What follows
 * a jump is done where there was no program to jump to: then this one is the last. */
static inline void next_call(struct call_t *call, u32 side)
{
    next_calls.call(call, ((u32)call->number * 2 + side) * SLOTS + PLACE);
    leave_chain(CALL);
}
static inline void next_moment(struct bpf_raw_tracepoint_args *ctx, u32 moment)
{
    next_moments.call(ctx, row_of(moment) + PLACE);
    leave_chain(MOMENT);
}

/* A program of a source: for system calls at their begin or their end, for a moment of a process. */
#define PART(function, side, work)    \
    int function(struct call_t *call) \
    {                                 \
        HELD(work);                   \
        next_call(call, side);        \
        return 0;                     \
    }
#define PART_AT(function, moment, work)               \
    int function(struct bpf_raw_tracepoint_args *ctx) \
    {                                                 \
        HELD(work);                                   \
        next_moment(ctx, moment);                     \
        return 0;                                     \
    }

/* The verifier knows what the current task is, so its fields are plain loads: a call to read from any address takes 20 ns. */
#define LOAD(from, name) (*(u64 *)((u64)(from) + O_##name))

/* Which process and thread the current one is, for tables that only these programs use: its numbers in the first namespace. */
static inline u64 current_key(void)
{
    return bpf_get_current_pid_tgid();
}

/* Every number of a process, a thread or a session that user space reads or writes is that of its own PID namespace: /proc has
 * the same there. A process outside of it has the number 0, and is never watched. */

#define TGID 1 /* enum pid_type: places in signal_struct.pids */
#define SID 3

#ifdef IN_NAMESPACE

struct upid_t { /* struct upid */
    u32 number;
    u32 pad;
    u64 namespace;
};

#if O_upid_nr != 0 || O_upid_ns != 8
#error "struct upid is not as expected"
#endif

/* Of a struct pid: it has a number in its namespace and in each one above that. The conditions are masks, or the verifier would
 * look twice at all that follows each of them: then it looks at five times as much of some programs. */
static inline u32 number_at(u64 pid, u32 level)
{
    int first = 0;
    u32 inode = 0;
    struct upid_t found = {};
    struct settings_t *set = settings.lookup(&first);
    if (!set || level < set->depth)
        return 0;
    bpf_probe_read_kernel(&found, sizeof(found), (void *)pid + O_pid_numbers + sizeof(found) * (u64)set->depth);
    FIELD(inode, found.namespace, pid_namespace_ns_inum);
    s64 other = inode ^ set->inode;
    asm volatile("" : "+r"(other));
    return found.number & ((other - 1) >> 63);
}

static inline u32 number_of(u64 pid)
{
    u32 level = 0;
    FIELD(level, pid, pid_level);
    return number_at(pid, level);
}

/* Of one that was loaded from the current task. Where there is none, the kernel lets a load give 0. */
static inline u32 number_in_task(u64 pid)
{
    return number_at(pid, *(u32 *)(pid + O_pid_level));
}
#else
static inline u32 number_of(u64 pid)
{
    u32 number = 0;
    FIELD(number, pid, pid_numbers);
    return number;
}
#endif

static inline u64 pid_in(u64 signal, u32 kind)
{
    u64 pid = 0;
    bpf_probe_read_kernel(&pid, sizeof(pid), (void *)signal + O_signal_struct_pids + kind * 8);
    return pid;
}

static inline u32 tgid_of(u64 task)
{
#ifdef IN_NAMESPACE
    u64 signal = 0;
    FIELD(signal, task, task_struct_signal);
    return number_of(pid_in(signal, TGID));
#else
    u32 tgid = 0;
    FIELD(tgid, task, task_struct_tgid);
    return tgid;
#endif
}

static inline u32 session_of(u64 signal)
{
    return number_of(pid_in(signal, SID));
}

static inline u32 current_tgid(void)
{
#ifdef IN_NAMESPACE
    return number_in_task(LOAD(LOAD(bpf_get_current_task_btf(), task_struct_signal) + TGID * 8, signal_struct_pids));
#else
    return bpf_get_current_pid_tgid() >> 32;
#endif
}

static inline u32 current_tid(void)
{
#ifdef IN_NAMESPACE
    return number_in_task(LOAD(bpf_get_current_task_btf(), task_struct_thread_pid));
#else
    return bpf_get_current_pid_tgid();
#endif
}

static inline int is_own(u32 tgid)
{
    int first = 0;
    struct settings_t *set = settings.lookup(&first);
    return set && set->own == tgid;
}

#ifdef SLOT
/* What must fit besides, asked at each event: the user of the current process, its control group or one above it; and that the
 * source goes on. */
static inline int fits_now(void)
{
    int first = 0;
    struct settings_t *set = settings.lookup(&first);
    if (!set || set->closed & 1 << SLOT)
        return 0;
#ifdef BY_UID
    if ((u32)bpf_get_current_uid_gid() != set->uid)
        return 0;
#endif
#ifdef BY_CGROUP
    if (bpf_get_current_ancestor_cgroup_id(set->level) != set->group)
        return 0;
#endif
    return 1;
}
#endif

static inline u64 leader_of(u64 task)
{
    u64 leader = 0;
    FIELD(leader, task, task_struct_group_leader);
    return leader;
}

static inline u64 own_leader(void)
{
    return LOAD(bpf_get_current_task_btf(), task_struct_group_leader);
}

static inline void fill_place(struct head_t *head, u32 kind, struct process_t *process, u64 time_ns)
{
    head->time_ns = time_ns;
    head->kind = kind | PLACE << 24;
#ifdef IN_NAMESPACE
    head->pid = process->pid;
    head->tid = current_tid();
#else
    u64 id = bpf_get_current_pid_tgid();
    head->pid = id >> 32;
    head->tid = id;
#endif
    head->uid = bpf_get_current_uid_gid();
}

/* The current process, at this time. */
static inline void fill_head_at(struct head_t *head, u32 kind, struct process_t *process, u64 time_ns)
{
    u64 leader = own_leader();
    if (!process->start_ns)
        process->start_ns = LOAD(leader, task_struct_start_boottime);
    fill_place(head, kind, process, time_ns);
    head->start_ns = process->start_ns;
    ((u64 *)head->comm)[0] = LOAD(leader, task_struct_comm);
    ((u64 *)head->comm)[1] = LOAD(leader + 8, task_struct_comm);
}

static inline void fill_head(struct head_t *head, u32 kind, struct process_t *process)
{
    fill_head_at(head, kind, process, bpf_ktime_get_ns());
}

/* By the current thread, about the process with this leader. */
static inline void fill_head_of(struct head_t *head, u32 kind, struct process_t *process, u64 leader)
{
    if (!process->start_ns)
        FIELD(process->start_ns, leader, task_struct_start_boottime);
    fill_place(head, kind, process, bpf_ktime_get_ns());
    head->start_ns = process->start_ns;
    bpf_probe_read_kernel(&head->comm, sizeof(head->comm), (void *)leader + O_task_struct_comm);
}

/* The current process, in a program that makes few records, and has many ways to one: at each of them, what is loaded from the
 * task takes the verifier a millisecond, as it searches all types of the kernel by name. */
static inline void fill_head_slowly(struct head_t *head, u32 kind, struct process_t *process)
{
    fill_head_of(head, kind, process, leader_of((u64)bpf_get_current_task()));
}

/* From now on a process is watched. */
static inline void track(u32 tgid, u64 leader)
{
    struct process_t process = {.pid = tgid, .since_ns = bpf_ktime_get_ns()};
    FIELD(process.start_ns, leader, task_struct_start_boottime);
    if (tracked.update(&tgid, &process))
        count(UNTRACKED);
}

/* The watched process that ends with the current thread. */
static inline struct process_t *ending(void)
{
    u32 tgid = current_tgid();
    struct process_t *process = tracked.lookup(&tgid);
    return process && process->last == current_key() ? process : 0;
}

/* Is there one? Then the head is filled. */
static inline int is_gone(struct head_t *head, u32 kind)
{
    struct process_t *process = ending();
    if (process)
        fill_head(head, kind, process);
    return process != 0;
}

#ifdef SLOT
static inline int tell_gone(u32 kind)
{
    struct head_t head = {};
    if (is_gone(&head, kind))
        SEND(&head, sizeof(head), 0);
    return 0;
}
#endif

#ifdef CALLS

#define RESTARTED(result) ((result) <= -512 && (result) >= -516) /* ERESTARTSYS and its like: the call comes again */

#define TEXT_MOST 16384 /* all names of a record; a power of two */
#define PART_MOST 4096  /* PATH_MAX: the longest single part, kept free behind TEXT_MOST */
#define NAME_MOST 256   /* the longest name of a directory with its NUL */
#define DEPTH_MOST 128  /* directories and mounts; deeper ones are cut at the top */

struct place_t {
    u64 dentry;
    u64 mnt;
};

static inline struct place_t place_at(u64 path)
{
    struct place_t place = {};
    FIELD(place.dentry, path, path_dentry);
    FIELD(place.mnt, path, path_mnt);
    return place;
}

/* Names from `place` up to the root of the current process, across mounts: innermost first, NUL behind each, written behind
 * `*at` bytes of `text`. Returns 0 where they are too many. The position is read from memory at each turn, or the verifier
 * would follow every value that it can have. */
static inline int walk(u32 *at, char *text, struct place_t place, u64 task)
{
    u64 fs = 0, top = 0, parent = 0, name = 0, mount = 0;
    FIELD(fs, task, task_struct_fs);
    struct place_t root = place_at(fs + O_fs_struct_root);
#pragma clang loop unroll(disable)
    for (TURNS(i, DEPTH_MOST)) {
        if (place.dentry == root.dentry && place.mnt == root.mnt)
            return 1;
        FIELD(top, place.mnt, vfsmount_mnt_root);
        if (place.dentry == top) {
            mount = place.mnt - O_mount_mnt;
            FIELD(parent, mount, mount_mnt_parent);
            if (parent == mount)
                return 1;
            FIELD(place.dentry, mount, mount_mnt_mountpoint);
            place.mnt = parent + O_mount_mnt;
            continue;
        }
        FIELD(name, place.dentry, dentry_d_name_name);
        u32 to = *(volatile u32 *)at;
        if (to > TEXT_MOST - NAME_MOST)
            return 0;
        to &= TEXT_MOST - 1;
        int size = bpf_probe_read_kernel_str(text + to, NAME_MOST, (void *)name);
        if (size <= 0)
            return 0;
        *(volatile u32 *)at = to + size;
        FIELD(parent, place.dentry, dentry_d_parent);
        if (parent == place.dentry)
            return 1;
        place.dentry = parent;
    }
    return 0;
}

/* The open file behind a number of the process with these `files`; 0 if there is none. */
static inline u64 file_in(u64 files, u32 fd)
{
    u64 table = LOAD(files, files_struct_fdt), file = 0;
    u32 most = *(u32 *)(table + O_fdtable_max_fds);
    if (fd < most)
        bpf_probe_read_kernel(&file, sizeof(file), (void *)LOAD(table, fdtable_fd) + 8 * (u64)fd);
    return file;
}

/* The files of the current process, `task` from bpf_get_current_task_btf(). To be loaded once, before the ways part. */
static inline u64 files_of(u64 task)
{
    return LOAD(task, task_struct_files);
}

static inline u64 file_of(u64 task, u32 fd)
{
    return file_in(files_of(task), fd);
}

#ifdef O_file_private_data
/* The struct socket behind a number of the process with these `files`; 0 if there is none. */
static inline u64 socket_in(u64 files, u32 number)
{
    u64 file = file_in(files, number), inode = 0, socket = 0;
    u16 mode = 0;
    if (!file)
        return 0;
    FIELD(inode, file, file_f_inode);
    FIELD(mode, inode, inode_i_mode);
    if ((mode & 0170000) != 0140000)
        return 0;
    FIELD(socket, file, file_private_data);
    return socket;
}

static inline u64 socket_of(u64 task, u32 number)
{
    return socket_in(files_of(task), number);
}
#endif

#ifdef O_sock_sk_protocol
/* The same as its struct sock, if it is one of TCP. */
static inline u64 tcp_of(u64 task, u32 number)
{
    u64 socket = socket_of(task, number), sock = 0;
    u16 family = 0, protocol = 0;
    if (socket)
        FIELD(sock, socket, socket_sk);
    if (!sock)
        return 0;
    FIELD(family, sock, sock_common_skc_family);
    FIELD(protocol, sock, sock_sk_protocol);
    return protocol == 6 && (family == 2 || family == 10) ? sock : 0; /* IPPROTO_TCP; AF_INET, AF_INET6 */
}
#endif

#endif
