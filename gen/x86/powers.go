package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that multiply small floats by powers of two.
const (
	powerTimes = 15 - iota
	powerKeep
	powerTop
	powerDown
	power
)

// BeginPowers loads what describes the codes.
func (m *Machine) BeginPowers() {
	m.i("VBROADCASTSS", m.word("times"), m.vec(powerTimes))
	m.i("VBROADCASTSS", m.word("keep"), m.vec(powerKeep))
	m.i("VBROADCASTSS", m.word("top"), m.vec(powerTop))
	m.i("VMOVSS", m.word("down"), xs[powerDown])
}

// LoadPower loads a group's scale.
func (m *Machine) LoadPower() {
	m.i("VBROADCASTSS", m.mem(plan.Addr{Reg: plan.PowersScale}, 0), m.vec(power))
	m.i("VMULPS", m.vec(power), m.vec(powerTimes), m.vec(power))
}

// Multiply does so to 32 codes, the even and the odd ones apart, whose upper halves of products are joined without any order to be made.
func (m *Machine) Multiply(stop string) int {
	from, to := plan.Addr{Reg: plan.PowersIn}, plan.Addr{Reg: plan.PowersOut}
	const even, odd, ofEven, ofOdd = 0, 1, 2, 3
	m.i("VMOVUPS", m.mem(from, 0), m.vec(odd))
	m.i("VPAND", m.every(0x7f7f7f7f), m.vec(odd), m.vec(even))
	m.i("VPCMPGTB", m.vec(powerTop), m.vec(even), m.vec(even))
	m.i("VPMOVMSKB", m.vec(even), scratch.As32())
	m.i("TESTL", scratch.As32(), scratch.As32())
	m.i("JNE", operand.LabelRef(stop))
	m.i("VPSLLW", operand.Imm(8), m.vec(odd), m.vec(even))
	for _, v := range []int{even, odd} {
		m.i("VPSRAW", xs[powerDown], m.vec(v), m.vec(v))
		m.i("VPAND", m.vec(powerKeep), m.vec(v), m.vec(v))
	}
	for i := range 2 {
		for j, v := range []int{even, odd} {
			product := m.vec(ofEven + j)
			m.i("VCVTPH2PS", xs[v], product)
			m.i("VMULPS", m.vec(power), product, product)
			if i == 0 {
				m.i("VEXTRACTI128", operand.Imm(1), m.vec(v), xs[v])
			}
		}
		m.i("VPSRLD", operand.Imm(16), m.vec(ofEven), m.vec(ofEven))
		m.i("VPBLENDW", operand.Imm(0b10101010), m.vec(ofOdd), m.vec(ofEven), m.vec(ofEven))
		m.i("VMOVUPS", m.vec(ofEven), m.mem(to, 32*i))
	}
	return 32
}
