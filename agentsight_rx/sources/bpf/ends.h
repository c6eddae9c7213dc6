/* The two ends of a TCP connection, or of another internet socket. */

#define INET 2
#define INET6 10

struct end_t {
    u8 address[16]; /* IPv4 in its IPv6 form */
    u16 port;
    u16 known;
};

static inline void set_ipv4(struct end_t *end, u32 address, u16 port)
{
    __builtin_memset(end, 0, sizeof(*end));
    end->address[10] = end->address[11] = 0xff;
    __builtin_memcpy(end->address + 12, &address, 4);
    end->port = port;
    end->known = 1;
}

static inline void read_local(struct end_t *end, u64 sock, u16 family)
{
    u16 port = 0;
    u32 address = 0;
    FIELD(port, sock, sock_common_skc_num);
    if (family == INET6) {
        FIELD(end->address, sock, sock_common_skc_v6_rcv_saddr);
        end->port = port;
        end->known = 1;
        return;
    }
    FIELD(address, sock, sock_common_skc_rcv_saddr);
    set_ipv4(end, address, port);
}

static inline void read_peer(struct end_t *end, u64 sock, u16 family)
{
    u16 port = 0;
    u32 address = 0;
    FIELD(port, sock, sock_common_skc_dport);
    if (family == INET6) {
        FIELD(end->address, sock, sock_common_skc_v6_daddr);
        end->port = __builtin_bswap16(port);
        end->known = 1;
        return;
    }
    FIELD(address, sock, sock_common_skc_daddr);
    set_ipv4(end, address, __builtin_bswap16(port));
}
