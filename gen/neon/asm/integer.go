package asm

// Integer arithmetic; it wraps where nothing else is said. B is for elements
// of 8 bits, H of 16, S of 32, D of 64.

// integer encodes a three-operand instruction that has a field for the size.
func (p *Printer) integer(base uint32, name string, s Size, d, n, m V) {
	p.three(base|uint32(s)<<22, name, s, d, n, m)
}

// ADD is d = n + m.
func (p *Printer) ADD(s Size, d, n, m V) { sized("ADD", s, B, D); p.full("VADD", s, d, n, m) }

// SUB is d = n - m.
func (p *Printer) SUB(s Size, d, n, m V) { sized("SUB", s, B, D); p.full("VSUB", s, d, n, m) }

// SQADD is d = n + m, signed, saturating.
func (p *Printer) SQADD(s Size, d, n, m V) {
	sized("SQADD", s, B, D)
	p.integer(0x4e200c00, "sqadd", s, d, n, m)
}

// UMULL is d = n * m, of the lower halves, unsigned, each product twice as wide.
func (p *Printer) UMULL(wide Size, d, n, m V) {
	sized("UMULL", wide, H, D)
	p.word(0x2e20c000|uint32(wide-1)<<22|m.bits()<<16|n.bits()<<5|d.bits(), "umull v%d.%s, v%d.%s, v%d.%s", d, wide.arm(), n, (wide - 1).half(), m, (wide - 1).half())
}

// UMULL2 is that of the upper halves.
func (p *Printer) UMULL2(wide Size, d, n, m V) {
	sized("UMULL2", wide, H, D)
	p.word(0x2e20c000|upper|uint32(wide-1)<<22|m.bits()<<16|n.bits()<<5|d.bits(), "umull2 v%d.%s, v%d.%s, v%d.%s", d, wide.arm(), n, (wide - 1).arm(), m, (wide - 1).arm())
}

// SQDMULH is the upper half of d = 2*n*m, signed, saturating.
func (p *Printer) SQDMULH(s Size, d, n, m V) {
	sized("SQDMULH", s, H, S)
	p.integer(0x4e20b400, "sqdmulh", s, d, n, m)
}

// USHL is d = n << m, or n >> -m where the lowest byte of m is negative, unsigned.
func (p *Printer) USHL(s Size, d, n, m V) {
	sized("USHL", s, B, D)
	p.integer(0x6e204400, "ushl", s, d, n, m)
}

// SMAX is d = max(n, m), signed.
func (p *Printer) SMAX(s Size, d, n, m V) {
	sized("SMAX", s, B, S)
	p.integer(0x4e206400, "smax", s, d, n, m)
}

// SMIN is d = min(n, m), signed.
func (p *Printer) SMIN(s Size, d, n, m V) {
	sized("SMIN", s, B, S)
	p.integer(0x4e206c00, "smin", s, d, n, m)
}

// UMIN is d = min(n, m), unsigned.
func (p *Printer) UMIN(s Size, d, n, m V) { sized("UMIN", s, B, S); p.full("VUMIN", s, d, n, m) }

// UMAX is d = max(n, m), unsigned.
func (p *Printer) UMAX(s Size, d, n, m V) { sized("UMAX", s, B, S); p.full("VUMAX", s, d, n, m) }

// ADDP has in d the sums of n's pairs of neighbours, then of m's.
func (p *Printer) ADDP(s Size, d, n, m V) { sized("ADDP", s, B, D); p.full("VADDP", s, d, n, m) }

// SMAXP has in d the larger of n's pairs of neighbours, then of m's, signed.
func (p *Printer) SMAXP(s Size, d, n, m V) {
	sized("SMAXP", s, B, S)
	p.integer(0x4e20a400, "smaxp", s, d, n, m)
}

// UMAXP has there the larger ones, unsigned.
func (p *Printer) UMAXP(s Size, d, n, m V) {
	sized("UMAXP", s, B, S)
	p.integer(0x6e20a400, "umaxp", s, d, n, m)
}

// UMINP has there the smaller ones, unsigned.
func (p *Printer) UMINP(s Size, d, n, m V) {
	sized("UMINP", s, B, S)
	p.integer(0x6e20ac00, "uminp", s, d, n, m)
}

// Comparisons give all ones where they hold, else 0.

// CMEQ is d = n == m.
func (p *Printer) CMEQ(s Size, d, n, m V) { sized("CMEQ", s, B, D); p.full("VCMEQ", s, d, n, m) }

// CMGT is d = n > m, signed.
func (p *Printer) CMGT(s Size, d, n, m V) {
	sized("CMGT", s, B, D)
	p.integer(0x4e203400, "cmgt", s, d, n, m)
}

// CMTST is d = n&m != 0.
func (p *Printer) CMTST(s Size, d, n, m V) { sized("CMTST", s, B, D); p.full("VCMTST", s, d, n, m) }
