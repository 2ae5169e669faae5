/*
 * A host that is not this machine: behind a tun card, it takes every TCP connection, swallows what is sent, and closes when
 * the other end does. To its kernel the connections have one end only.
 *
 *   far_host CARD      writes `ready` when the card is there; ends with its stdin
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint32_t add(const void *bytes, int length, uint32_t sum) {
    const uint16_t *words = bytes;
    for (int i = 0; i < length / 2; i++) sum += words[i];
    return sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

struct packet {
    struct iphdr ip;
    struct tcphdr tcp;
};

static void answer(int fd, const struct iphdr *ip, const struct tcphdr *tcp, int data) {
    struct packet out = {0};
    uint32_t next = ntohl(tcp->seq) + data + tcp->syn + tcp->fin;
    if (!tcp->syn && !tcp->fin && data == 0) return;
    out.ip.version = 4;
    out.ip.ihl = 5;
    out.ip.ttl = 64;
    out.ip.protocol = IPPROTO_TCP;
    out.ip.tot_len = htons(sizeof out);
    out.ip.saddr = ip->daddr;
    out.ip.daddr = ip->saddr;
    out.ip.check = fold(add(&out.ip, sizeof out.ip, 0));
    out.tcp.source = tcp->dest;
    out.tcp.dest = tcp->source;
    out.tcp.seq = htonl(tcp->syn ? 1000 : 1001);
    out.tcp.ack_seq = htonl(next);
    out.tcp.doff = 5;
    out.tcp.ack = 1;
    out.tcp.syn = tcp->syn;
    out.tcp.fin = tcp->fin;
    out.tcp.window = htons(60000);
    uint32_t sum = add(&out.ip.saddr, 8, htons(IPPROTO_TCP) + htons(sizeof out.tcp));
    out.tcp.check = fold(add(&out.tcp, sizeof out.tcp, sum));
    if (write(fd, &out, sizeof out) < 0) perror("write");
}

int main(int argc, char **argv) {
    static _Alignas(8) unsigned char buffer[65536];
    struct ifreq request = {0};
    int fd = open("/dev/net/tun", O_RDWR);
    if (argc != 2 || fd < 0) return 2;
    strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        perror("TUNSETIFF");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd polled[2] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
        poll(polled, 2, -1);
        if (polled[1].revents) return 0;
        ssize_t length = read(fd, buffer, sizeof buffer);
        const struct iphdr *ip = (const struct iphdr *)buffer;
        if (length < (ssize_t)sizeof(struct packet) || ip->version != 4 || ip->protocol != IPPROTO_TCP) continue;
        const struct tcphdr *tcp = (const struct tcphdr *)(buffer + ip->ihl * 4);
        answer(fd, ip, tcp, ntohs(ip->tot_len) - ip->ihl * 4 - tcp->doff * 4);
    }
}
