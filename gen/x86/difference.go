package x86

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that tell how two slices differ. A register of 256 bits has two pairs of sums.
const (
	noiseAndLeft, rightAndProduct = 8, 9
	largestError, equalBits       = 10, 11
	magnitudes                    = 12
)

func (m *Machine) sumsAt(bytes int) operand.Mem {
	return m.mem(plan.Addr{Reg: plan.Differences}, bytes)
}

// BeginDifference loads the sums.
func (m *Machine) BeginDifference() {
	m.i("VMOVUPD", m.sumsAt(0), half(noiseAndLeft))
	m.i("VMOVUPD", m.sumsAt(32), half(rightAndProduct))
	m.i("VMOVUPD", m.sumsAt(64), xs[largestError])
	m.i("VMOVUPD", m.sumsAt(80), xs[equalBits])
	m.i("VPCMPEQD", half(magnitudes), half(magnitudes), half(magnitudes))
	m.i("VPSRLQ", operand.U8(1), half(magnitudes), half(magnitudes))
}

// Differ takes four elements in.
func (m *Machine) Differ() {
	at := func(r plan.GPR) operand.Mem { return m.mem(plan.Addr{Reg: r}, 0) }
	left, right, noise, product, magnitude, bits := half(0), half(1), half(2), half(3), half(4), xs[5]
	m.i("VMOVUPS", at(plan.LeftSide), bits)
	m.i("VCVTPS2PD", bits, left)
	m.i("VCVTPS2PD", at(plan.RightSide), right)
	m.i("VPCMPEQD", at(plan.RightSide), bits, bits)
	m.i("VPSUBD", bits, xs[equalBits], xs[equalBits])
	m.i("VSUBPD", right, left, noise)
	m.i("VMOVUPD", noise, at(plan.Errors))
	m.i("VANDPD", noise, half(magnitudes), magnitude)
	m.i("VMAXPD", magnitude, half(largestError), half(largestError))
	m.i("VMULPD", right, left, product)
	for _, r := range []reg.VecPhysical{noise, left, right} {
		m.i("VMULPD", r, r, r)
	}
	for _, s := range []struct{ low, high, sum int }{{2, 0, noiseAndLeft}, {1, 3, rightAndProduct}} {
		first, second := half(6), half(7)
		m.i("VINSERTF128", operand.U8(1), xs[s.high], half(s.low), first)
		m.i("VPERM2F128", operand.U8(0x31), half(s.high), half(s.low), second)
		m.i("VADDPD", first, half(s.sum), half(s.sum))
		m.i("VADDPD", second, half(s.sum), half(s.sum))
	}
}

// EndDifference stores the sums.
func (m *Machine) EndDifference() {
	m.i("VEXTRACTF128", operand.U8(1), half(largestError), xs[0])
	m.i("VMAXPD", xs[0], xs[largestError], xs[largestError])
	m.i("VMOVUPD", half(noiseAndLeft), m.sumsAt(0))
	m.i("VMOVUPD", half(rightAndProduct), m.sumsAt(32))
	m.i("VMOVUPD", xs[largestError], m.sumsAt(64))
	m.i("VMOVUPD", xs[equalBits], m.sumsAt(80))
}
