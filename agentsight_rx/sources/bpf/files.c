/* What tracked processes do with files -> the ring.
 *
 * Almost everything is seen at the end of the system call: its outcome is known, its strings are in memory, and a number can be
 * followed to the file that it now stands for. Bytes are counted here, per process and open file, and leave at the last close;
 * what is still open when a process ends is counted by the reader, which gets a record of every open file.
 *
 * Switch: ALL, every process is watched. */

enum {
    OPEN = 1,
    CLOSE = 2, /* `read` and `written` are what went through `file` */
    RENAME = 3,
    UNLINK = 4,
    MKDIR = 5,
    RMDIR = 6,
    TRUNCATE = 7,
    CHDIR = 8,
    FOUND = 9, /* an open file that was inherited, received, or open before the trace began */
    GONE = 10, /* the process ended */
    LINK = 11, /* the second name is one more of the same file */
};

/* Of the two paths: the names above it are here; those at the top are not. */
enum { WALKED = 1, CUT = 2, SECOND_WALKED = 4, SECOND_CUT = 8, EXISTED = 16 };

#define MAY_CREATE 0100 /* O_CREAT */
#define CREATED (1 << 20) /* FMODE_CREATED: this open made the file */

#define CURRENT_DIRECTORY -100 /* AT_FDCWD */
#define OF_DESCRIPTOR 0x1000 /* AT_EMPTY_PATH */
#define OPEN_MOST 65536
#define SLOTS 64 /* numbers of files that are compared at once */
#define SLOTS_MOST 1024

/* An open file of one process. The address alone is used again, so the file itself is named besides. */
struct file_t {
    u64 start_ns;
    u64 address;
    u64 inode;
    u32 device;
    u32 generation;
};

struct bytes_t {
    u64 read;
    u64 written;
    u32 reported; /* the reader knows it */
    u32 pad;
};

struct record_t {
    struct head_t head;
    struct file_t file; /* its address is 0 where no bytes are counted */
    u64 read;
    u64 written;
    s32 error;
    u32 flags;
    u32 marks;
    u32 given; /* sizes of the parts of the text: what the process gave, if it did, then the names above it */
    u32 above;
    u32 second_given;
    u32 second_above;
    u32 pad;
    char text[TEXT_MOST + PART_MOST];
};

struct room_t {
    u32 at; /* bytes of text so far */
    u32 hits;
    u64 slots[SLOTS];
    struct record_t record;
};

BPF_HASH(open_files, struct file_t, struct bytes_t, OPEN_MOST);
BPF_PERCPU_ARRAY(room, struct room_t, 1);

static inline struct process_t *wanted(void)
{
    u32 tgid = current_tgid();
#ifdef ALL
    if (is_own(tgid))
        return 0;
#endif
    struct process_t *process = tracked.lookup(&tgid);
    return process && fits_now() ? process : 0;
}

static inline struct record_t *begin(struct room_t *space, u32 kind, struct process_t *process, u64 task)
{
    struct record_t *record = &space->record;
    fill_head_slowly(&record->head, kind, process);
    __builtin_memset((char *)record + sizeof(record->head), 0, offsetof(struct record_t, text) - sizeof(record->head));
    *(volatile u32 *)&space->at = 0;
    return record;
}

static inline int finish(struct room_t *space)
{
    return SEND(&space->record, offsetof(struct record_t, text) + AT_MOST(*(volatile u32 *)&space->at, TEXT_MOST), 0);
}

static inline u32 mode_of(u64 file)
{
    u64 inode = 0;
    u16 mode = 0;
    FIELD(inode, file, file_f_inode);
    FIELD(mode, inode, inode_i_mode);
    return mode & 0170000;
}

#define REGULAR 0100000
#define DIRECTORY 0040000
#define CHARACTERS 0020000
#define BLOCKS 0060000

static inline void identify(struct file_t *key, u64 file, struct process_t *process, u64 task)
{
    u64 inode = 0, super = 0;
    if (!process->start_ns)
        FIELD(process->start_ns, leader_of(task), task_struct_start_boottime);
    key->start_ns = process->start_ns;
    key->address = file;
    FIELD(inode, file, file_f_inode);
    FIELD(key->inode, inode, inode_i_ino);
    FIELD(key->generation, inode, inode_i_generation);
    FIELD(super, inode, inode_i_sb);
    FIELD(key->device, super, super_block_s_dev);
}

static inline void walk_file(struct room_t *space, u64 file, u64 task)
{
    struct record_t *record = &space->record;
    record->marks = WALKED;
    if (!walk(&space->at, record->text, place_at(file + O_file_f_path), task))
        record->marks |= CUT;
    record->above = *(volatile u32 *)&space->at;
}

/* The bytes of an open file leave, and it is forgotten. */
static inline void tell_closed(struct room_t *space, struct file_t *key, struct process_t *process, u64 task)
{
    struct bytes_t *bytes = open_files.lookup(key);
    if (!bytes)
        return;
    struct record_t *record = begin(space, CLOSE, process, task);
    record->file = *key;
    record->read = bytes->read;
    record->written = bytes->written;
    if (finish(space))
        open_files.delete(key);
}

/* -- system calls with names -- */

static inline s32 errno_of(s64 result)
{
    return result < 0 ? -result : 0;
}

/* What the process gave, if anything, and the directory that it starts at. Returns the size of the former. */
static inline u32 read_name(struct room_t *space, u64 name, struct place_t *from, s32 directory, u64 task, u64 files)
{
    char *text = space->record.text;
    u32 at = *(volatile u32 *)&space->at;
    if (at > TEXT_MOST - NAME_MOST)
        return 0;
    at &= TEXT_MOST - 1;
    int size = bpf_probe_read_user_str(text + at, PART_MOST, (void *)name);
    if (size <= 0)
        return 0;
    *(volatile u32 *)&space->at = at + size;
    if (text[at] == '/')
        return size;
    if (directory == CURRENT_DIRECTORY) {
        u64 fs = 0;
        FIELD(fs, task, task_struct_fs);
        *from = place_at(fs + O_fs_struct_pwd);
    } else {
        u64 file = file_in(files, directory);
        if (file)
            *from = place_at(file + O_file_f_path);
    }
    return size;
}

static inline int names(struct call_t *call)
{
    s64 result = call->result;
    struct process_t *process = wanted();
    if (!process || RESTARTED(result) || !is_to_do(0))
        return 0;
    u32 zero = 0, number = call->number;
    struct room_t *space = room.lookup(&zero);
    if (!space)
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), files = files_of(task);
    u64 a = ARGUMENT(registers, 1), b = ARGUMENT(registers, 2), c = ARGUMENT(registers, 3), d = ARGUMENT(registers, 4);
    u64 name = a, second_name = 0, file = 0, flags = 0;
    s32 directory = CURRENT_DIRECTORY, second_directory = CURRENT_DIRECTORY;
    u32 kind = OPEN, has_second = 0;
    switch (number) {
    case NR_open:
        flags = b;
        break;
    case NR_creat:
        flags = 01 | 0100 | 01000; /* O_WRONLY, O_CREAT, O_TRUNC */
        break;
    case NR_openat:
        directory = a, name = b, flags = c;
        break;
    case NR_openat2: /* the flags stand first in struct open_how */
        directory = a, name = b;
        bpf_probe_read_user(&flags, sizeof(flags), (void *)c);
        break;
    case NR_rename:
        kind = RENAME, second_name = b, has_second = 1;
        break;
    case NR_renameat:
    case NR_renameat2:
        kind = RENAME, directory = a, name = b, second_directory = c, second_name = d, has_second = 1;
        break;
    case NR_link:
        kind = LINK, second_name = b, has_second = 1;
        break;
    case NR_linkat:
        kind = LINK, directory = a, name = b, second_directory = c, second_name = d, has_second = 1;
        if (ARGUMENT(registers, 5) & OF_DESCRIPTOR)
            file = file_in(files, a), name = 0;
        break;
    case NR_open_by_handle_at: /* without a name */
        flags = c, name = 0;
        if (result < 0)
            return 0;
        break;
    case NR_unlink:
        kind = UNLINK;
        break;
    case NR_unlinkat: /* AT_REMOVEDIR */
        kind = c & 0x200 ? RMDIR : UNLINK, directory = a, name = b;
        break;
    case NR_rmdir:
        kind = RMDIR;
        break;
    case NR_mkdir:
        kind = MKDIR;
        break;
    case NR_mkdirat:
        kind = MKDIR, directory = a, name = b;
        break;
    case NR_truncate:
        kind = TRUNCATE;
        break;
    case NR_ftruncate:
        kind = TRUNCATE, file = file_in(files, a), name = 0;
        break;
    case NR_chdir:
        kind = CHDIR;
        break;
    case NR_fchdir:
        kind = CHDIR, file = file_in(files, a), name = 0;
        break;
    default:
        return 0;
    }
    u32 mode = 0;
    if (kind == OPEN && result >= 0) {
        file = file_in(files, result);
        mode = mode_of(file);
        if (mode != REGULAR && mode != DIRECTORY && mode != CHARACTERS && mode != BLOCKS)
            return 0;
    }
    struct file_t key = {};
    if (mode == REGULAR) {
        identify(&key, file, process, task);
        tell_closed(space, &key, process, task); /* it was closed in a way that we do not watch, and opened again */
    }
    struct record_t *record = begin(space, kind, process, task);
    record->error = errno_of(result);
    record->flags = flags;
    record->file = key;
    if (mode && flags & MAY_CREATE) {
        u32 how = 0;
        FIELD(how, file, file_f_mode);
        if (!(how & CREATED))
            record->marks |= EXISTED;
    }

    struct place_t from = {};
    if (file) {
        from = place_at(file + O_file_f_path);
    } else if (kind == CHDIR && result >= 0) {
        u64 fs = 0;
        FIELD(fs, task, task_struct_fs);
        from = place_at(fs + O_fs_struct_pwd);
    } else if (name) {
        record->given = read_name(space, name, &from, directory, task, files);
    }
    u32 begun = *(volatile u32 *)&space->at;
    if (from.dentry)
        record->marks |= walk(&space->at, record->text, from, task) ? WALKED : WALKED | CUT;
    u32 at = *(volatile u32 *)&space->at;
    record->above = at - begun;
    if (has_second) {
        struct place_t second = {};
        u32 size = read_name(space, second_name, &second, second_directory, task, files);
        begun = at + size;
        record->second_given = size;
        if (second.dentry)
            record->marks |= walk(&space->at, record->text, second, task) ? SECOND_WALKED : SECOND_WALKED | SECOND_CUT;
        at = *(volatile u32 *)&space->at;
        record->second_above = at - begun;
    }
    struct bytes_t fresh = {.reported = finish(space)};
    if (mode != REGULAR)
        return 0;
    struct bytes_t *bytes = open_files.lookup(&key); /* only where its last close was not reported */
    if (bytes)
        bytes->reported = fresh.reported;
    else if (open_files.update(&key, &fresh))
        count(UNTRACKED);
    return 0;
}

PART(on_names, AT_END, names(call))

/* -- bytes -- */

static inline struct bytes_t *found(struct file_t *key, u64 file, struct process_t *process, u64 task)
{
    u32 zero = 0;
    struct bytes_t fresh = {}, *bytes = open_files.lookup(key);
    struct room_t *space = room.lookup(&zero);
    if (!space || (bytes && bytes->reported))
        return bytes;
    if (!bytes) {
        open_files.update(key, &fresh);
        bytes = open_files.lookup(key);
        if (!bytes) {
            count(UNTRACKED);
            return 0;
        }
    }
    struct record_t *record = begin(space, FOUND, process, task);
    record->file = *key;
    walk_file(space, file, task);
    bytes->reported = finish(space);
    return bytes;
}

static inline int bytes(struct call_t *call)
{
    s64 result = call->result;
    if (result <= 0)
        return 0;
    struct process_t *process = wanted();
    if (!process || !is_to_do(0))
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), files = files_of(task);
    s32 source = -1, drain = -1;
    switch (call->number) {
    case NR_read:
    case NR_pread64:
    case NR_readv:
    case NR_preadv:
    case NR_preadv2:
        source = ARGUMENT(registers, 1);
        break;
    case NR_sendfile64:
        drain = ARGUMENT(registers, 1);
        source = ARGUMENT(registers, 2);
        break;
    case NR_splice:
    case NR_copy_file_range:
        source = ARGUMENT(registers, 1);
        drain = ARGUMENT(registers, 3);
        break;
    default: /* write, pwrite64, writev, pwritev, pwritev2 */
        drain = ARGUMENT(registers, 1);
    }
#pragma clang loop unroll(disable)
    for (int turn = 0; turn < 2; turn++) {
        s32 number = turn ? drain : source;
        if (number < 0)
            continue;
        u64 file = file_in(files, number);
        if (!file || mode_of(file) != REGULAR)
            continue;
        struct file_t key = {};
        identify(&key, file, process, task);
        struct bytes_t *bytes = found(&key, file, process, task);
        if (bytes)
            __sync_fetch_and_add(turn ? &bytes->written : &bytes->read, result);
    }
    return 0;
}

PART(on_bytes, AT_END, bytes(call))

/* -- close -- */

/* How many numbers of this process, of the first SLOTS_MOST, stand for `file`. */
static inline u32 numbers_of(struct room_t *space, u64 file, u64 task)
{
    u64 files = 0, table = 0, slots = 0;
    u32 most = 0;
    *(volatile u32 *)&space->hits = 0;
    FIELD(files, task, task_struct_files);
    FIELD(table, files, files_struct_fdt);
    FIELD(most, table, fdtable_max_fds);
    FIELD(slots, table, fdtable_fd);
#pragma clang loop unroll(disable)
    for (TURNS(part, SLOTS_MOST / SLOTS)) {
        u32 first = part * SLOTS;
        if (first >= most)
            break;
        if (bpf_probe_read_kernel(space->slots, sizeof(space->slots), (void *)slots + 8 * (u64)first))
            break;
#pragma clang loop unroll(disable)
        for (u32 slot = 0; slot < SLOTS; slot++)
            if (*(volatile u64 *)&space->slots[slot & (SLOTS - 1)] == file)
                *(volatile u32 *)&space->hits += 1; /* in memory, or the verifier would follow every number */
    }
    return *(volatile u32 *)&space->hits;
}

/* close, and dup2 and dup3 onto a number that is in use: at the begin, while the number still stands for the file. */
static inline int close(struct call_t *call)
{
    struct process_t *process = wanted();
    if (!process)
        return 0;
    u64 task = (u64)bpf_get_current_task_btf(), registers = bpf_task_pt_regs((void *)task), files = files_of(task);
    u32 zero = 0, number = ARGUMENT(registers, 1);
    if (call->number != NR_close) {
        u32 onto = ARGUMENT(registers, 2);
        if (onto == number)
            return 0;
        number = onto;
    }
    u64 file = file_in(files, number);
    if (!file)
        return 0;
    struct file_t key = {};
    identify(&key, file, process, task);
    struct room_t *space = room.lookup(&zero);
    if (!space || !open_files.lookup(&key) || numbers_of(space, file, task) > 1)
        return 0;
    tell_closed(space, &key, process, task);
    return 0;
}

PART(on_close, AT_BEGIN, close(call))

/* -- processes -- */

PART_AT(at_exit, AT_EXIT, tell_gone(GONE))
