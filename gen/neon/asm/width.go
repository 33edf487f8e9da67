package asm

// Integers of one size to the next. The size that these methods take is that
// of the wide elements, H, S or D. Those with a 2 in their name have their
// narrow elements in the upper half of a register, the others in the lower.

const upper = 1 << 30 // the bit that says so

// narrow encodes a conversion to elements of half the size.
func (p *Printer) narrow(base uint32, name string, wide Size, d, n V) {
	to := (wide - 1).half()
	if base&upper != 0 {
		to = (wide - 1).arm()
	}
	p.two(base|uint32(wide-1)<<22, name, to, wide.arm(), d, n)
}

// SXTL widens n's lower half to d, signed: a shift left by 0.
func (p *Printer) SXTL(wide Size, d, n V) {
	sized("SXTL", wide, H, D)
	code := 0x0f00a400 | uint32(wide.bytes()/2)<<19 | n.bits()<<5 | d.bits()
	p.word(code, "sshll v%d.%s, v%d.%s, #0", d, wide.arm(), n, (wide - 1).half())
}

// SXTL2 widens n's upper half to d, signed.
func (p *Printer) SXTL2(wide Size, d, n V) {
	sized("SXTL2", wide, H, D)
	code := 0x0f00a400 | upper | uint32(wide.bytes()/2)<<19 | n.bits()<<5 | d.bits()
	p.word(code, "sshll2 v%d.%s, v%d.%s, #0", d, wide.arm(), n, (wide - 1).arm())
}

// UXTL widens n's lower half to d, unsigned.
func (p *Printer) UXTL(wide Size, d, n V) {
	sized("UXTL", wide, H, D)
	p.op("VUXTL", n.half(wide-1), d.of(wide))
}

// UXTL2 widens n's upper half to d, unsigned.
func (p *Printer) UXTL2(wide Size, d, n V) {
	sized("UXTL2", wide, H, D)
	p.op("VUXTL2", n.of(wide-1), d.of(wide))
}

// SHLL has the elements of n's lower half in the upper halves of d's, above zeros.
func (p *Printer) SHLL(wide Size, d, n V) {
	sized("SHLL", wide, H, D)
	p.shll(0x2e213800, "shll", wide, (wide - 1).half(), d, n)
}

// SHLL2 has those of n's upper half there.
func (p *Printer) SHLL2(wide Size, d, n V) {
	sized("SHLL2", wide, H, D)
	p.shll(0x2e213800|upper, "shll2", wide, (wide - 1).arm(), d, n)
}

func (p *Printer) shll(base uint32, name string, wide Size, from string, d, n V) {
	p.word(base|uint32(wide-1)<<22|n.bits()<<5|d.bits(), "%s v%d.%s, v%d.%s, #%d", name, d, wide.arm(), n, from, 4*wide.bytes())
}

// ADDHN has in d's lower half the upper halves of the sums n + m; d's upper half is 0.
func (p *Printer) ADDHN(wide Size, d, n, m V) {
	sized("ADDHN", wide, H, D)
	p.addhn(0x0e204000, "addhn", wide, (wide - 1).half(), d, n, m)
}

// ADDHN2 puts them into d's upper half; the lower stays.
func (p *Printer) ADDHN2(wide Size, d, n, m V) {
	sized("ADDHN2", wide, H, D)
	p.addhn(0x0e204000|upper, "addhn2", wide, (wide - 1).arm(), d, n, m)
}

func (p *Printer) addhn(base uint32, name string, wide Size, to string, d, n, m V) {
	t := wide.arm()
	p.word(base|uint32(wide-1)<<22|m.bits()<<16|n.bits()<<5|d.bits(), "%s v%d.%s, v%d.%s, v%d.%s", name, d, to, n, t, m, t)
}

// SQXTN has in d's lower half n's elements, signed, saturated; d's upper half is 0.
func (p *Printer) SQXTN(wide Size, d, n V) {
	sized("SQXTN", wide, H, D)
	p.narrow(0x0e214800, "sqxtn", wide, d, n)
}

// SQXTN2 puts n's elements, signed, saturated, into d's upper half; the lower stays.
func (p *Printer) SQXTN2(wide Size, d, n V) {
	sized("SQXTN2", wide, H, D)
	p.narrow(0x0e214800|upper, "sqxtn2", wide, d, n)
}

// SQXTUN has in d's lower half n's signed elements, saturated to unsigned; d's upper half is 0.
func (p *Printer) SQXTUN(wide Size, d, n V) {
	sized("SQXTUN", wide, H, D)
	p.narrow(0x2e212800, "sqxtun", wide, d, n)
}

// SQXTUN2 puts n's signed elements, saturated to unsigned, into d's upper half; the lower stays.
func (p *Printer) SQXTUN2(wide Size, d, n V) {
	sized("SQXTUN2", wide, H, D)
	p.narrow(0x2e212800|upper, "sqxtun2", wide, d, n)
}
