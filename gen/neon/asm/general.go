package asm

import (
	"fmt"
	"math/bits"
)

// Arithmetic on general registers, 64 bits wide.

// XMOV is d = n.
func (p *Printer) XMOV(d, n R) { p.op("MOVD", n.name(), d.name()) }

// XMOVI is d = imm; up to four instructions, one for 16 bits of either sign.
func (p *Printer) XMOVI(d R, imm int) { p.op("MOVD", fmt.Sprintf("$%d", imm), d.name()) }

// XFRAME is d = the address of byte off of the frame.
func (p *Printer) XFRAME(d R, off int) {
	within("XFRAME", "offset", off, 0, p.frame-1)
	p.op("ADD", fmt.Sprintf("$%d", off+padding), "RSP", d.name())
}

// XARG loads an argument of the function into d, with zeros above; off is its
// distance from the first argument.
func (p *Printer) XARG(s Size, d R, name string, off int) {
	sized("XARG", s, B, D)
	p.op(loads[s], argument("XARG", s, name, off), d.name())
}

// immediate checks one of ADD, SUB and CMP: 12 bits, which may be shifted by 12.
func immediate(name string, imm int) string {
	if imm&0xfff != 0 || imm < 0 {
		within(name, "immediate", imm, 0, 0xfff)
	}
	within(name, "immediate", imm, 0, 0xfff000)
	return fmt.Sprintf("$%d", imm)
}

// XMOVFPCR is d = the control register of floats, and FPCRMOVX the other way.
func (p *Printer) XMOVFPCR(d R) { p.op("MOVD", "FPCR", d.name()) }
func (p *Printer) FPCRMOVX(n R) { p.op("MOVD", n.name(), "FPCR") }

// XADD is d = n + m.
func (p *Printer) XADD(d, n, m R) { p.op("ADD", m.name(), n.name(), d.name()) }

// XSUB is d = n - m.
func (p *Printer) XSUB(d, n, m R) { p.op("SUB", m.name(), n.name(), d.name()) }

// XMUL is d = n * m.
func (p *Printer) XMUL(d, n, m R) { p.op("MUL", m.name(), n.name(), d.name()) }

// XCSELLE is d = n if the last comparison found less or the same, else m.
func (p *Printer) XCSELLE(d, n, m R) { p.op("CSEL", "LE", n.name(), m.name(), d.name()) }

// XADDI is d = n + imm, 0 to 4095, or a multiple of 4096 up to 0xfff000.
func (p *Printer) XADDI(d, n R, imm int) { p.op("ADD", immediate("XADDI", imm), n.name(), d.name()) }

// XADDLSL is d = n + m<<count.
func (p *Printer) XADDLSL(d, n, m R, count int) {
	within("XADDLSL", "count", count, 1, 63)
	p.op("ADD", fmt.Sprintf("%s<<%d", m.name(), count), n.name(), d.name())
}

// XSUBLSL is d = n - m<<count.
func (p *Printer) XSUBLSL(d, n, m R, count int) {
	within("XSUBLSL", "count", count, 1, 63)
	p.op("SUB", fmt.Sprintf("%s<<%d", m.name(), count), n.name(), d.name())
}

// XADDLSR is d = n + m>>count, m unsigned.
func (p *Printer) XADDLSR(d, n, m R, count int) {
	within("XADDLSR", "count", count, 1, 63)
	p.op("ADD", fmt.Sprintf("%s>>%d", m.name(), count), n.name(), d.name())
}

// XSUBI is d = n - imm, 0 to 4095, or a multiple of 4096 up to 0xfff000.
func (p *Printer) XSUBI(d, n R, imm int) { p.op("SUB", immediate("XSUBI", imm), n.name(), d.name()) }

// XAND is d = n & m.
func (p *Printer) XAND(d, n, m R) { p.op("AND", m.name(), n.name(), d.name()) }

// XANDI is d = n & imm, one run of set bits that may wrap around.
func (p *Printer) XANDI(d, n R, imm int) {
	run := uint64(imm)
	if run>>63 == 1 {
		run = ^run
	}
	run >>= bits.TrailingZeros64(run)
	if run == 0 || run&(run+1) != 0 {
		fail("XANDI: %#x is no single run of bits", imm)
	}
	p.op("AND", fmt.Sprintf("$%d", imm), n.name(), d.name())
}

// XLSL is d = n << (m mod 64).
func (p *Printer) XLSL(d, n, m R) { p.op("LSL", m.name(), n.name(), d.name()) }

// XCMP compares n with m.
func (p *Printer) XCMP(n, m R) { p.op("CMP", m.name(), n.name()) }

// XCMPI compares n with imm, 0 to 4095, or a multiple of 4096 up to 0xfff000.
func (p *Printer) XCMPI(n R, imm int) { p.op("CMP", immediate("XCMPI", imm), n.name()) }

// Loads fill the bits above the element with zeros.

var (
	loads  = [...]string{B: "MOVBU", H: "MOVHU", S: "MOVWU", D: "MOVD"}
	stores = [...]string{B: "MOVB", H: "MOVH", S: "MOVW", D: "MOVD"}
)

// XLDR loads an element into d.
func (p *Printer) XLDR(s Size, d R, a Mem) {
	sized("XLDR", s, B, D)
	p.op(loads[s], p.place("XLDR", a, s.bytes()), d.name())
}

// XSTR stores the low bits of n.
func (p *Printer) XSTR(s Size, a Mem, n R) {
	sized("XSTR", s, B, D)
	p.op(stores[s], n.name(), p.place("XSTR", a, s.bytes()))
}

// XLDRP loads an element into d, then base += the element's size.
func (p *Printer) XLDRP(s Size, d, base R) {
	sized("XLDRP", s, B, D)
	p.apart("XLDRP", d, base)
	p.op(loads[s]+".P", fmt.Sprintf("%d(%s)", s.bytes(), base.name()), d.name())
}

// XSTRP stores the low bits of n, then base += the element's size.
func (p *Printer) XSTRP(s Size, base, n R) {
	sized("XSTRP", s, B, D)
	p.apart("XSTRP", n, base)
	p.op(stores[s]+".P", n.name(), fmt.Sprintf("%d(%s)", s.bytes(), base.name()))
}

// apart refuses what the architecture leaves undefined.
func (p *Printer) apart(name string, r, base R) {
	if r == base {
		fail("%s: R%d is its own base", name, uint8(r))
	}
}

// Branches to a label of the same function.

// B branches always.
func (p *Printer) B(label string) { p.branch("B", label) }

// BEQ branches if n == m in the last comparison.
func (p *Printer) BEQ(label string) { p.branch("BEQ", label) }

// BNE branches if n != m.
func (p *Printer) BNE(label string) { p.branch("BNE", label) }

// BLT branches if n < m, signed.
func (p *Printer) BLT(label string) { p.branch("BLT", label) }

// BLE branches if n <= m, signed.
func (p *Printer) BLE(label string) { p.branch("BLE", label) }

// BGE branches if n >= m, signed.
func (p *Printer) BGE(label string) { p.branch("BGE", label) }

// BVS branches if there was a NaN in the last comparison.
func (p *Printer) BVS(label string) { p.branch("BVS", label) }

// CBZ branches if n is 0.
func (p *Printer) CBZ(n R, label string) { p.branch("CBZ", n.name(), label) }

// CBNZ branches if n is not 0.
func (p *Printer) CBNZ(n R, label string) { p.branch("CBNZ", n.name(), label) }

// TBZ branches if bit i of n is 0.
func (p *Printer) TBZ(n R, i int, label string) { p.test("TBZ", n, i, label) }

// TBNZ branches if bit i of n is 1.
func (p *Printer) TBNZ(n R, i int, label string) { p.test("TBNZ", n, i, label) }

func (p *Printer) test(name string, n R, i int, label string) {
	within(name, "bit", i, 0, 63)
	p.branch(name, fmt.Sprintf("$%d", i), n.name(), label)
}

// branch prints a branch; the last operand is its label.
func (p *Printer) branch(name string, operands ...string) {
	p.wanted = append(p.wanted, operands[len(operands)-1])
	p.op(name, operands...)
}
