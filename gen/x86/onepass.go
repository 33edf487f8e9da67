package x86

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

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
	if k.Halves != ir.HalvesOfSixes {
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
	case k.Halves == ir.HalvesListed:
		m.listHalves()
	case k.Halves == ir.HalvesOfSixes:
		m.i("VMULPS", m.vec(halvesLarge), m.vec(halvesScale), m.vec(halvesScale))
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
func (m *Machine) OnePass(k *ir.Kernel, upper bool) int {
	from := plan.Addr{Reg: plan.HalvesIn}
	const odd, even = 0, 1
	both := []int{even, odd}
	switch k.Halves {
	case ir.HalvesListed:
		return m.lookUpHalves()
	case ir.HalvesOfSixes:
		m.toTop(even, m.mem(from, 0))
		m.i("VPMULHW", m.vec(halvesDown), m.vec(even), m.vec(even))
		m.i("VPAND", m.vec(halvesKeep), m.vec(even), m.vec(even))
		m.i("VEXTRACTI128", operand.Imm(1), m.vec(even), xs[odd])
		for _, v := range both {
			m.i("VCVTPH2PS", xs[v], m.vec(v))
			m.i("VMULPS", m.vec(halvesScale), m.vec(v), m.vec(v))
		}
	case ir.HalvesOfBits:
		m.toTop(even, m.mem(from, 0))
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
			m.i("VCVTPS2PH", operand.Imm(0), m.vec(v), halvesAt(16*i))
		}
		return plan.HalvesTile
	}
	// See upperHalf: of an exact product, and of one that is rounded itself.
	for _, v := range both {
		t := m.vec(v + 2)
		switch k.Halves {
		case ir.HalvesOfBits:
			m.upperHalf(m.vec(v), t)
		case ir.HalvesOfBytes:
			m.i("VMULPS", m.every(0x47800000), m.vec(v), t)
			m.i("VSUBPS", m.vec(v), t, m.vec(v))
			m.i("VSUBPS", m.vec(v), t, m.vec(v))
		}
	}
	m.i("VPSRLD", operand.Imm(16), m.vec(even), m.vec(even))
	m.i("VPBLENDW", operand.Imm(0b10101010), m.vec(odd), m.vec(even), m.vec(even))
	m.i("VMOVUPS", m.vec(even), halvesAt(0))
	return plan.HalvesTile
}

// halvesAt is where a tile's elements go.
func halvesAt(bytes int) operand.Mem {
	return operand.Mem{Base: gprs[plan.HalvesOut], Index: gprs[plan.HalvesLeft], Scale: 2, Disp: bytes}
}

// toTop brings sixteen codes to the top of 16 bits each.
func (m *Machine) toTop(v int, from operand.Mem) {
	m.i("VBROADCASTI128", from, m.vec(v))
	m.i("VPSHUFB", m.vec(halvesOrder), m.vec(v), m.vec(v))
	m.i("VPMULLW", m.vec(halvesUp), m.vec(v), m.vec(v))
}

// parted makes float32 of 16 integers of 16 bits, the even ones and the odd ones apart.
func (m *Machine) parted(even, odd int) {
	m.i("VPSRAD", operand.Imm(16), m.vec(even), m.vec(odd))
	m.i("VPMADDWD", m.every(1), m.vec(even), m.vec(even))
	for _, v := range []int{even, odd} {
		m.i("VCVTDQ2PS", m.vec(v), m.vec(v))
	}
}

// upperHalf makes of integers their exact products with a scale, rounded to 16 bits: a product less 65536 times as much has 16 bits more before its last one,
// so what it lacks to that is the product so rounded.
func (m *Machine) upperHalf(v, t reg.VecPhysical) {
	m.i("VMULPS", m.vec(halvesLarge), v, t)
	m.i("VFNMADD213PS", t, m.vec(halvesScale), v)
	m.i("VSUBPS", v, t, v)
}

// The tables of codes of at most three bits, of lower bytes and of upper ones.
const (
	halvesLow  = halvesKeep
	halvesHigh = halvesZero
)

// listHalves makes these of the eight values.
func (m *Machine) listHalves() {
	const value, t = 0, 1
	upper, rounded := m.newLabel("upper"), m.newLabel("rounded")
	m.i("VPBROADCASTD", m.mem(plan.Addr{Reg: plan.HalvesZero}, 0), m.vec(t))
	m.AddImm(plan.HalvesZero, 4)
	m.i("VCVTDQ2PS", m.vec(t), m.vec(t))
	m.i("VMOVUPS", m.whole(m.eachLane(func(i int) int { return int(math.Float32bits(float32(i))) })), m.vec(value))
	m.i("VSUBPS", m.vec(t), m.vec(value), m.vec(value))
	m.i("TESTQ", gprs[plan.HalvesKind], gprs[plan.HalvesKind])
	m.i("JNE", operand.LabelRef(upper))
	m.i("VMULPS", m.vec(halvesScale), m.vec(value), m.vec(value))
	m.i("VCVTPS2PH", operand.Imm(0), m.vec(value), xs[value])
	m.i("JMP", operand.LabelRef(rounded))
	m.ctx.Label(upper)
	m.i("VMULPS", m.every(0x47800000), m.vec(halvesScale), m.vec(halvesLarge))
	m.upperHalf(m.vec(value), m.vec(t))
	m.i("VPSRLD", operand.Imm(16), m.vec(value), m.vec(value))
	m.i("VPACKUSDW", m.vec(value), m.vec(value), m.vec(value))
	m.i("VPERMQ", operand.Imm(8), m.vec(value), m.vec(value))
	m.ctx.Label(rounded)
	m.i("VPSHUFB", m.whole(evenBytesFirst), m.vec(value), m.vec(value))
	m.i("VPBROADCASTQ", xs[value], m.vec(halvesLow))
	m.i("VPERMQ", operand.Imm(0x55), m.vec(value), m.vec(halvesHigh))
}

// lookUpHalves gives each of 32 codes a byte, the third eight behind the first, so that the words of what both tables have are in order.
func (m *Machine) lookUpHalves() int {
	from := m.mem(plan.Addr{Reg: plan.HalvesIn}, 0)
	const codes, more, words = 0, 1, 2
	m.toTop(codes, from)
	from.Index, from.Scale = gprs[plan.HalvesBytes], 1
	m.toTop(more, from)
	for _, v := range []int{codes, more} {
		m.i("VPSRLW", xs[halvesDown], m.vec(v), m.vec(v))
	}
	m.i("VPACKUSWB", m.vec(more), m.vec(codes), m.vec(codes))
	m.i("VPSHUFB", m.vec(codes), m.vec(halvesLow), m.vec(more))
	m.i("VPSHUFB", m.vec(codes), m.vec(halvesHigh), m.vec(codes))
	m.i("VPUNPCKLBW", m.vec(codes), m.vec(more), m.vec(words))
	m.i("VMOVUPS", m.vec(words), halvesAt(0))
	m.i("VPUNPCKHBW", m.vec(codes), m.vec(more), m.vec(words))
	m.i("VMOVUPS", m.vec(words), halvesAt(32))
	return 2 * plan.HalvesTile
}
