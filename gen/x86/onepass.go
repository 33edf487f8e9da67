package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that make 16 bits of codes in one pass: where in sixteen bytes the two bytes of each code are, what brings it to the top of these,
// and how far down it goes from there, or the bits that it keeps; a scale, a scale 65536 times as large, or a factor, and a zero point.
const (
	halvesOrder = 15 - iota
	halvesUp
	halvesDown
	halvesKeep
	halvesScale
	halvesLarge
	halvesZero
)

// BeginOnePass loads what all groups have.
func (m *Machine) BeginOnePass(k *ir.Kernel) {
	if k.Halves == ir.HalvesOfBytes {
		m.i("VBROADCASTSS", m.word("factor"), m.vec(halvesKeep))
		return
	}
	for i, v := range []int{halvesOrder, halvesUp} {
		m.i("VMOVUPS", m.mem(plan.Addr{Reg: plan.HalvesOrder}, 32*i), m.vec(v))
	}
	if k.Halves == ir.HalvesOfBits {
		m.i("VMOVSS", m.word("down"), xs[halvesDown])
		return
	}
	m.i("VBROADCASTSS", m.word("down"), m.vec(halvesDown))
	m.i("VBROADCASTSS", m.word("keep"), m.vec(halvesKeep))
	m.i("VBROADCASTSS", m.word("times"), m.vec(halvesLarge))
}

// LoadOnePass loads what a group has.
func (m *Machine) LoadOnePass(k *ir.Kernel, upper bool) {
	m.i("VBROADCASTSS", m.mem(plan.Addr{Reg: plan.HalvesScale}, 0), m.vec(halvesScale))
	switch {
	case k.Halves == ir.HalvesOfSixes:
		m.i("VMULPS", m.vec(halvesLarge), m.vec(halvesScale), m.vec(halvesScale))
		return
	case k.Halves == ir.HalvesOfBits:
		m.i("VPBROADCASTW", m.mem(plan.Addr{Reg: plan.HalvesZero}, 0), m.vec(halvesZero))
		m.AddImm(plan.HalvesZero, 4)
		if upper {
			m.i("VMULPS", m.every(0x47800000), m.vec(halvesScale), m.vec(halvesLarge))
		}
	}
}

// OnePass does sixteen codes. Those that become bfloat16 are taken to pieces in even and odd ones, whose upper halves are joined without any order to
// be made; the order of the others is the caller's.
func (m *Machine) OnePass(k *ir.Kernel, upper bool) {
	from, to := plan.Addr{Reg: plan.HalvesIn}, plan.Addr{Reg: plan.HalvesOut}
	const odd, even = 0, 1
	both := []int{even, odd}
	switch k.Halves {
	case ir.HalvesOfSixes:
		m.toTop(from)
		m.i("VPMULHW", m.vec(halvesDown), m.vec(even), m.vec(even))
		m.i("VPAND", m.vec(halvesKeep), m.vec(even), m.vec(even))
		m.i("VEXTRACTI128", operand.Imm(1), m.vec(even), xs[odd])
		for _, v := range both {
			m.i("VCVTPH2PS", xs[v], m.vec(v))
			m.i("VMULPS", m.vec(halvesScale), m.vec(v), m.vec(v))
		}
	case ir.HalvesOfBits:
		m.toTop(from)
		m.i("VPSRLW", xs[halvesDown], m.vec(even), m.vec(even))
		m.i("VPSUBW", m.vec(halvesZero), m.vec(even), m.vec(even))
		m.parted(even, odd)
	case ir.HalvesOfBytes:
		if upper {
			m.i("VPMOVSXBW", m.mem(from, 0), m.vec(even))
			m.parted(even, odd)
		} else {
			for i, v := range both {
				m.i("VPMOVSXBD", m.mem(from, 8*i), m.vec(v))
				m.i("VCVTDQ2PS", m.vec(v), m.vec(v))
			}
		}
		for _, v := range both {
			m.i("VMULPS", m.vec(halvesScale), m.vec(v), m.vec(v))
			m.i("VMULPS", m.vec(halvesKeep), m.vec(v), m.vec(v))
		}
	}
	if !upper {
		for i, v := range both {
			if k.Halves == ir.HalvesOfBits {
				m.i("VMULPS", m.vec(halvesScale), m.vec(v), m.vec(v))
			}
			m.i("VCVTPS2PH", operand.Imm(0), m.vec(v), m.mem(to, 16*i))
		}
		return
	}
	// A product less 65536 times as much has 16 bits more before its last one, so what it lacks to that is the product rounded to the upper 16 bits.
	for _, v := range both {
		t := m.vec(v + 2)
		switch k.Halves {
		case ir.HalvesOfBits: // the product is exact
			m.i("VMULPS", m.vec(halvesLarge), m.vec(v), t)
			m.i("VFNMADD213PS", t, m.vec(halvesScale), m.vec(v))
			m.i("VSUBPS", m.vec(v), t, m.vec(v))
		case ir.HalvesOfBytes:
			m.i("VMULPS", m.every(0x47800000), m.vec(v), t)
			m.i("VSUBPS", m.vec(v), t, m.vec(v))
			m.i("VSUBPS", m.vec(v), t, m.vec(v))
		}
	}
	m.i("VPSRLD", operand.Imm(16), m.vec(even), m.vec(even))
	m.i("VPBLENDW", operand.Imm(0b10101010), m.vec(odd), m.vec(even), m.vec(even))
	m.i("VMOVUPS", m.vec(even), m.mem(to, 0))
}

// toTop brings sixteen codes to the top of 16 bits each, in register 1.
func (m *Machine) toTop(from plan.Addr) {
	m.i("VBROADCASTI128", m.mem(from, 0), m.vec(1))
	m.i("VPSHUFB", m.vec(halvesOrder), m.vec(1), m.vec(1))
	m.i("VPMULLW", m.vec(halvesUp), m.vec(1), m.vec(1))
}

// parted makes float32 of 16 integers of 16 bits, the even ones and the odd ones apart.
func (m *Machine) parted(even, odd int) {
	m.i("VPSRAD", operand.Imm(16), m.vec(even), m.vec(odd))
	m.i("VPMADDWD", m.every(1), m.vec(even), m.vec(even))
	for _, v := range []int{even, odd} {
		m.i("VCVTDQ2PS", m.vec(v), m.vec(v))
	}
}
