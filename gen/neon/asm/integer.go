package asm

// Integer arithmetic; it wraps where nothing else is said. B is for elements
// of 8 bits, H of 16, S of 32, D of 64.

// integer encodes a three-operand instruction that has a field for the size.
func (p *Printer) integer(base uint32, name string, s Size, d, n, m V) {
	p.three(base|uint32(s)<<22, name, s, d, n, m)
}

// across encodes a reduction to lane 0.
func (p *Printer) across(code uint32, name string, s Size, d, n V) {
	p.word(code|n.bits()<<5|d.bits(), "%s %s%d, v%d.%s", name, s.lower(), d, n, s.arm())
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

// SQSUB is d = n - m, signed, saturating.
func (p *Printer) SQSUB(s Size, d, n, m V) {
	sized("SQSUB", s, B, D)
	p.integer(0x4e202c00, "sqsub", s, d, n, m)
}

// NEG is d = -n.
func (p *Printer) NEG(s Size, d, n V) {
	sized("NEG", s, B, D)
	p.same(0x6e20b800|uint32(s)<<22, "neg", s, d, n)
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

// UMAX is d = max(n, m), unsigned.
func (p *Printer) UMAX(s Size, d, n, m V) { sized("UMAX", s, B, S); p.full("VUMAX", s, d, n, m) }

// UMIN is d = min(n, m), unsigned.
func (p *Printer) UMIN(s Size, d, n, m V) { sized("UMIN", s, B, S); p.full("VUMIN", s, d, n, m) }

// ADDP has in d the sums of n's pairs of neighbours, then of m's.
func (p *Printer) ADDP(s Size, d, n, m V) { sized("ADDP", s, B, D); p.full("VADDP", s, d, n, m) }

// UMAXP has in d the maxima of n's pairs of neighbours, then of m's, unsigned.
func (p *Printer) UMAXP(s Size, d, n, m V) {
	sized("UMAXP", s, B, S)
	p.integer(0x6e20a400, "umaxp", s, d, n, m)
}

// Reductions leave their result in lane 0 of d; the rest of d is 0.

// ADDV is the sum of n's elements, of their size.
func (p *Printer) ADDV(s Size, d, n V) {
	sized("ADDV", s, B, S)
	p.op("VADDV", n.of(s), d.plain())
}

// UADDLV is the sum of n's elements, unsigned, of twice their size.
func (p *Printer) UADDLV(s Size, d, n V) {
	sized("UADDLV", s, B, S)
	p.op("VUADDLV", n.of(s), d.plain())
}

// SMAXV is the largest element of n, signed.
func (p *Printer) SMAXV(s Size, d, n V) {
	sized("SMAXV", s, B, S)
	p.across(0x4e30a800|uint32(s)<<22, "smaxv", s, d, n)
}

// SMINV is the smallest element of n, signed.
func (p *Printer) SMINV(s Size, d, n V) {
	sized("SMINV", s, B, S)
	p.across(0x4e31a800|uint32(s)<<22, "sminv", s, d, n)
}

// UMAXV is the largest element of n, unsigned.
func (p *Printer) UMAXV(s Size, d, n V) {
	sized("UMAXV", s, B, S)
	p.across(0x6e30a800|uint32(s)<<22, "umaxv", s, d, n)
}

// UMINV is the smallest element of n, unsigned.
func (p *Printer) UMINV(s Size, d, n V) {
	sized("UMINV", s, B, S)
	p.across(0x6e31a800|uint32(s)<<22, "uminv", s, d, n)
}

// Comparisons give all ones where they hold, else 0.

// CMEQ is d = n == m.
func (p *Printer) CMEQ(s Size, d, n, m V) { sized("CMEQ", s, B, D); p.full("VCMEQ", s, d, n, m) }

// CMTST is d = n&m != 0.
func (p *Printer) CMTST(s Size, d, n, m V) { sized("CMTST", s, B, D); p.full("VCMTST", s, d, n, m) }

// CMGT is d = n > m, signed.
func (p *Printer) CMGT(s Size, d, n, m V) {
	sized("CMGT", s, B, D)
	p.integer(0x4e203400, "cmgt", s, d, n, m)
}

// CMGE is d = n >= m, signed.
func (p *Printer) CMGE(s Size, d, n, m V) {
	sized("CMGE", s, B, D)
	p.integer(0x4e203c00, "cmge", s, d, n, m)
}

// CMHI is d = n > m, unsigned.
func (p *Printer) CMHI(s Size, d, n, m V) {
	sized("CMHI", s, B, D)
	p.integer(0x6e203400, "cmhi", s, d, n, m)
}

// CMHS is d = n >= m, unsigned.
func (p *Printer) CMHS(s Size, d, n, m V) {
	sized("CMHS", s, B, D)
	p.integer(0x6e203c00, "cmhs", s, d, n, m)
}
