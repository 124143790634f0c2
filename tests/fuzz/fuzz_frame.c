/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "fuzz_frame.h"

static void
put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Its sum is right, more or less: what is changed afterwards is not in it. */
static uint32_t
put_ipv4(struct fuzz *f, uint8_t *ip, uint8_t proto)
{
	uint8_t kind = fuzz_u8(f);
	uint32_t len = kind & 1 ? 20 + 4 * (kind >> 4) % 44 : 20;

	ip[0] = 0x40 | len / 4;
	put16(ip + 6, kind & 2 ? 0x2000 | (kind & 4 ? 7 : 0) : kind & 4 ? 0x4000 : 0);
	ip[9] = proto;
	put16(ip + 10, 0);
	put16(ip + 10, ~fake_sum(ip, len));
	return len;
}

/* With up to three extension headers. */
static uint32_t
put_ipv6(struct fuzz *f, uint8_t *ip, uint8_t proto)
{
	static const uint8_t extensions[] = { 0, 43, 44, 60 };
	uint8_t kind = fuzz_u8(f), nb = kind % 16 < 4 ? kind % 16 : 0, *next = ip + 6;
	uint32_t len = 40;

	ip[0] = 0x60;
	for (; nb != 0; nb--) {
		kind = fuzz_u8(f);
		*next = extensions[kind % RTE_DIM(extensions)];
		next = ip + len;
		next[1] = *next == 44 ? 0 : kind >> 6;
		len += 8 * (next[1] + 1);
	}
	*next = proto;
	return len;
}

void
fuzz_frame(struct fuzz *f, struct fuzz_frame *out)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0800, 0x86dd, 0x0806, 0x8847, 0x8100 };
	static const uint8_t protos[] = { 6, 17, 6, 17, 132, 1, 58, 47, 4, 41, 59 };
	uint8_t kind = fuzz_u8(f), proto = fuzz_u8(f), nb_tags = kind % 16 < 4 ? kind % 16 : 0;
	uint16_t type = types[(kind >> 4) % RTE_DIM(types)];
	uint32_t at = 12, i;

	proto = proto < 200 ? protos[proto % RTE_DIM(protos)] : proto;
	memset(out, 0, sizeof(*out));
	fake_fill(out->bytes, sizeof(out->bytes), kind);
	for (; nb_tags != 0; nb_tags--, at += 4)
		put16(out->bytes + at, nb_tags % 2 ? 0x8100 : 0x88a8);
	put16(out->bytes + at, type);
	out->l3 = at += 2;
	out->flags = type == 0x86dd ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (type == 0x0800)
		at += put_ipv4(f, out->bytes + at, proto);
	else if (type == 0x86dd)
		at += put_ipv6(f, out->bytes + at, proto);
	out->l4 = at;
	out->bytes[at + 12] = 0x50 | (kind & 0x80);
	out->end = at + (proto == 17 ? 8 : 20);
	i = fuzz_u8(f);
	/* Cut anywhere, or with little or much behind the headers. */
	out->len = i < 32 ? 1 + fuzz_below(f, out->end) : out->end + i;
	if (i > 250)
		out->len = out->end + fuzz_u16(f) % (FUZZ_FRAME_MAX - out->end);
	for (i = fuzz_u8(f) % 4; i != 0; i--)
		fuzz_take(f, out->bytes + fuzz_u8(f) % 120, 1);
}
