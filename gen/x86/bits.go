package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that give each code of a bit stream a byte: where the two bytes of a code are, for the first eight codes of sixteen and for the
// second; what brings a code to the top of these, and how far down it goes from there.
const (
	bitsFirst = 15 - iota
	bitsSecond
	bitsUp
	bitsDown
)

// BeginBits loads these.
func (m *Machine) BeginBits() {
	for i, v := range []int{bitsFirst, bitsSecond, bitsUp} {
		m.i("VBROADCASTI128", m.mem(plan.Addr{Reg: plan.BitsOrder}, 16*i), m.vec(v))
	}
	m.i("VMOVSS", m.word("down"), xs[bitsDown])
}

// UnpackBits does so for 32 codes, sixteen in each half of a register.
func (m *Machine) UnpackBits() {
	first, second := m.vec(0), m.vec(1)
	from := m.mem(plan.Addr{Reg: plan.BitsFrom}, 0)
	m.i("VMOVUPS", from, xs[0])
	from.Index, from.Scale = gprs[plan.BitsHalf], 1
	m.i("VINSERTI128", operand.Imm(1), from, first, first)
	m.i("VPSHUFB", m.vec(bitsSecond), first, second)
	m.i("VPSHUFB", m.vec(bitsFirst), first, first)
	for v := range 2 {
		m.i("VPMULLW", m.vec(bitsUp), m.vec(v), m.vec(v))
		m.i("VPSRLW", xs[bitsDown], m.vec(v), m.vec(v))
	}
	m.i("VPACKUSWB", second, first, first)
	m.i("VMOVUPS", first, m.mem(plan.Addr{Reg: plan.BitsTo}, 0))
}
