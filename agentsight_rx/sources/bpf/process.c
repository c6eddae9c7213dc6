/* fork, exec and exit of tracked processes -> the ring. */

enum { FORK = 1, EXEC = 2, EXIT = 3 };

#define TEXT_MOST 8192 /* filename, argv and cwd together; a power of two */
#define PART_MOST 4096 /* the longest single part, kept free behind TEXT_MOST */
#define WORD_MOST 256  /* of an environment: what is longer is read in pieces */
#define WORDS_MOST 256 /* pieces */

struct small_t {
    struct head_t head;
    u32 ppid;
    u32 status;     /* wait status, EXIT only */
    u64 duration_ns; /* EXIT only, as what follows */
    u64 cpu_ns;     /* of all its threads */
    u64 peak;       /* most pages in memory; 0 = no more than before its newest program */
};

struct exec_t {
    struct head_t head;
    u32 ppid;
    u32 sid;
    u32 argv_whole; /* bytes of argv as the process has them */
    u32 filename_size;
    u32 argv_size;
    u32 cwd_size; /* names of the directories, innermost first, NUL behind each */
    u32 narrow;   /* it has 32 bits, so its system calls pass no tracepoint */
    u32 home_size; /* HOME=… of its environment; 0: it has none among the first words */
    char text[TEXT_MOST + PART_MOST];
};

struct room_t {
    u32 at;
    u32 pad;
    struct exec_t exec;
};

BPF_PERCPU_ARRAY(room, struct room_t, 1);

static inline u32 parent_of(u64 leader)
{
    u64 parent = 0;
    FIELD(parent, leader, task_struct_real_parent);
    return tgid_of(parent);
}

static inline int forked(u64 child)
{
    if (!fits_now())
        return 0;
    u32 tgid = tgid_of(child);
    struct process_t *process = tracked.lookup(&tgid);
    if (!process || !is_to_do(0))
        return 0;
    struct small_t record = {};
    fill_head_of(&record.head, FORK, process, child);
    record.head.pid = tgid;
    record.head.tid = tgid;
    record.ppid = parent_of(child);
    SEND(&record, sizeof(record), 0);
    return 0;
}

PART_AT(at_fork, AT_FORK, forked(ctx->args[1]))

/* Names from the working directory up to the root of the process, across mounts. */
static inline void walk_cwd(struct room_t *room, u64 task)
{
    u64 fs = 0, dentry = 0, mnt = 0, root = 0, root_mnt = 0, top = 0, parent = 0, name = 0, mount = 0;
    FIELD(fs, task, task_struct_fs);
    bpf_probe_read_kernel(&dentry, 8, (void *)fs + O_fs_struct_pwd + O_path_dentry);
    bpf_probe_read_kernel(&mnt, 8, (void *)fs + O_fs_struct_pwd + O_path_mnt);
    bpf_probe_read_kernel(&root, 8, (void *)fs + O_fs_struct_root + O_path_dentry);
    bpf_probe_read_kernel(&root_mnt, 8, (void *)fs + O_fs_struct_root + O_path_mnt);
#pragma clang loop unroll(disable)
    for (TURNS(i, 64)) {
        if (dentry == root && mnt == root_mnt)
            return;
        FIELD(top, mnt, vfsmount_mnt_root);
        if (dentry == top) {
            mount = mnt - O_mount_mnt;
            FIELD(parent, mount, mount_mnt_parent);
            if (parent == mount)
                return;
            FIELD(dentry, mount, mount_mnt_mountpoint);
            mnt = parent + O_mount_mnt;
            continue;
        }
        FIELD(name, dentry, dentry_d_name_name);
        u32 at = *(volatile u32 *)&room->at & (TEXT_MOST - 1);
        int size = bpf_probe_read_kernel_str(room->exec.text + at, 256, (void *)name);
        if (size <= 0)
            return;
        *(volatile u32 *)&room->at = at + size;
        FIELD(parent, dentry, dentry_d_parent);
        if (parent == dentry)
            return;
        dentry = parent;
    }
}

/* HOME of the environment, as it is: `HOME=…` and NUL. */
static inline void read_home(struct room_t *room, u64 mm)
{
    u64 from = 0, end = 0;
    u32 is_begun = 0; /* a word, of which this is a later piece */
    FIELD(from, mm, mm_struct_env_start);
    FIELD(end, mm, mm_struct_env_end);
#pragma clang loop unroll(disable)
    for (TURNS(i, WORDS_MOST)) {
        if (from >= end)
            return;
        u32 at = *(volatile u32 *)&room->at & (TEXT_MOST - 1);
        char *word = room->exec.text + at;
        int size = bpf_probe_read_user_str(word, WORD_MOST, (void *)from);
        if (size <= 0)
            return;
        u32 is_home = (word[0] == 'H') & (word[1] == 'O') & (word[2] == 'M') & (word[3] == 'E') & (word[4] == '=');
        if (is_home & !is_begun & (size < WORD_MOST)) {
            *(volatile u32 *)&room->at = at + size;
            return;
        }
        is_begun = size == WORD_MOST;
        from += size - is_begun; /* the NUL is not of the word */
    }
}

static inline int executed(u64 task, u64 binprm)
{
    u64 leader, mm = 0, arg_start = 0, arg_end = 0, filename = 0, signal = 0;
    u32 zero = 0, tgid = current_tgid();
    if (!fits_now())
        return 0;
    struct process_t *process = tracked.lookup(&tgid);
    struct room_t *space = room.lookup(&zero);
    if (!process || !space || !is_to_do(0))
        return 0;
    struct exec_t *record = &space->exec;
    leader = leader_of(task);
    fill_head(&record->head, EXEC, process);
    record->ppid = parent_of(leader);
    FIELD(signal, task, task_struct_signal);
    FIELD(process->peak, signal, signal_struct_maxrss); /* the memory of the program before, perhaps that of its parent */
    record->sid = session_of(signal);

    FIELD(filename, binprm, linux_binprm_filename);
    int read = bpf_probe_read_kernel_str(record->text, 1024, (void *)filename);
    u64 size = AT_MOST(read < 0 ? 0 : read, 1024);
    record->filename_size = size;

    FIELD(mm, task, task_struct_mm);
    FIELD(arg_start, mm, mm_struct_arg_start);
    FIELD(arg_end, mm, mm_struct_arg_end);
    record->narrow = arg_start >> 32 == 0; /* on the stack, which in 64 bits is far above */
    u64 whole = arg_end - arg_start;
    record->argv_whole = whole;
    u64 part = AT_MOST(whole, PART_MOST - 1);
    if (bpf_probe_read_user(record->text + size, part, (void *)arg_start))
        part = 0;
    record->argv_size = part;

    *(volatile u32 *)&space->at = size + part;
    walk_cwd(space, task);
    u32 walked = *(volatile u32 *)&space->at;
    record->cwd_size = walked - size - part;
    read_home(space, mm);
    u32 at = *(volatile u32 *)&space->at;
    record->home_size = at - walked;
    SEND(record, sizeof(*record) - sizeof(record->text) + AT_MOST(at, TEXT_MOST), 0);
    return 0;
}

PART_AT(at_exec, AT_EXEC, executed(ctx->args[0], ctx->args[2]))

static inline int ends(u64 task)
{
    u64 leader, signal = 0, part = 0, before = 0;
    u32 flags = 0, tgid = current_tgid();
    struct small_t record = {};
    struct process_t *process = tracked.lookup(&tgid);
    if (process)
        before = process->peak;
    if (!is_gone(&record.head, EXIT) || !fits_now())
        return 0;
    leader = leader_of(task);
    record.ppid = parent_of(leader);
    FIELD(signal, task, task_struct_signal);
    FIELD(flags, signal, signal_struct_flags);
    if (flags & 4) /* SIGNAL_GROUP_EXIT: one status for all threads */
        FIELD(record.status, signal, signal_struct_group_exit_code);
    else
        FIELD(record.status, leader, task_struct_exit_code);
    record.duration_ns = bpf_ktime_get_boot_ns() - record.head.start_ns;
    FIELD(record.cpu_ns, signal, signal_struct_sum_sched_runtime); /* of threads that ended before */
    FIELD(part, task, task_struct_se_sum_exec_runtime);
    record.cpu_ns += part;
    if (leader != task) {
        FIELD(part, leader, task_struct_se_sum_exec_runtime);
        record.cpu_ns += part;
    }
    FIELD(part, signal, signal_struct_maxrss);
    record.peak = part > before ? part : 0;
    SEND(&record, sizeof(record), 0);
    return 0;
}

PART_AT(at_exit, AT_EXIT, ends(ctx->args[0]))
