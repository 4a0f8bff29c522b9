// Numbers of the socket interface, the same on x64 and arm64. Source: include/uapi/asm-generic/socket.h,
// include/uapi/linux/{in,in6,tcp,mptcp}.h.

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const IPPROTO_TCP = 6;
export const IPPROTO_MPTCP = 262;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_BINDTODEVICE = 25;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;

export const SOL_IP = 0;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const SOL_IPV6 = 41;
export const IPV6_V6ONLY = 26;

export const SOL_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_INFO = 11;
export const TCP_CONGESTION = 13;
export const TCP_USER_TIMEOUT = 18;
export const TCP_FASTOPEN = 23;
export const TCP_NOTSENT_LOWAT = 25;
export const TCP_FASTOPEN_CONNECT = 30;
/** Linux ≥ 6.10; on older kernels ENOPROTOOPT. */
export const TCP_IS_MPTCP = 43;

export const SOL_MPTCP = 284;
export const MPTCP_INFO = 1;
export const MPTCP_TCPINFO = 2;
export const MPTCP_SUBFLOW_ADDRS = 3;
/** Linux ≥ 6.5. */
export const MPTCP_FULL_INFO = 4;

export const SHUT_RD = 0;
export const SHUT_WR = 1;

export const MSG_PEEK = 0x2;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_MORE = 0x8000;
