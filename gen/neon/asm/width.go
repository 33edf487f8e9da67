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

// UXTL widens n's lower half to d, unsigned.
func (p *Printer) UXTL(wide Size, d, n V) {
	sized("UXTL", wide, H, D)
	p.op("VUXTL", n.half(wide-1), d.of(wide))
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
