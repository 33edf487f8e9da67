package x86

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// With AVX2 kernels over blocks round to 16 bits where they store. The first argument of such a kernel is the pointer to elements, and the third is
// not zero for bfloat16. Five registers are theirs.

// halfAt is where an element of the next 32 is.
func halfAt(element int) operand.Mem { return operand.Mem{Base: gprs[0], Disp: 2 * element} }

// everyWord is a word in all lanes.
func (m *Machine) everyWord(w uint32) operand.Mem {
	return m.constant(strings.Repeat(littleEndian([]uint32{w}), m.Width()))
}

// toUpper branches if elements are bfloat16.
func (m *Machine) toUpper() (label string) {
	label = m.newLabel("upper")
	m.i("TESTQ", gprs[2], gprs[2])
	m.i("JNE", operand.LabelRef(label))
	return label
}

// scaleBytes stores 32 bytes times a number, which is the last of u; the others are free.
func (m *Machine) scaleBytes(u []int, bytes plan.Addr) {
	scale := u[5]
	upper, next := m.toUpper(), m.newLabel("next")
	for i := range 4 {
		v := u[i%2]
		m.i("VPMOVSXBD", m.mem(bytes, 8*i), m.vec(v))
		m.i("VCVTDQ2PS", m.vec(v), m.vec(v))
		m.i("VMULPS", m.vec(scale), m.vec(v), m.vec(v))
		m.i("VCVTPS2PH", operand.Imm(0), m.vec(v), halfAt(8*i))
	}
	m.i("JMP", operand.LabelRef(next))
	m.ctx.Label(upper)
	// A product less 65536 times as much has 16 bits more before its last one, so what it lacks to that is the product rounded to the upper 16 bits, a
	// zero with its sign too.
	m.i("VMULPS", m.everyWord(0x47800000), m.vec(scale), m.vec(u[4]))
	for i := range 2 {
		even, odd := [2]int{u[0], u[1]}, [2]int{u[2], u[3]} // of the bytes in a word each
		m.i("VPMOVSXBW", m.mem(bytes, 16*i), m.vec(odd[0]))
		m.i("VPSLLD", operand.Imm(16), m.vec(odd[0]), m.vec(even[0]))
		for _, v := range [][2]int{even, odd} {
			m.i("VPSRAD", operand.Imm(16), m.vec(v[0]), m.vec(v[0]))
			m.i("VCVTDQ2PS", m.vec(v[0]), m.vec(v[0]))
			m.i("VMULPS", m.vec(u[4]), m.vec(v[0]), m.vec(v[1]))
			m.i("VFNMADD213PS", m.vec(v[1]), m.vec(scale), m.vec(v[0]))
			m.i("VSUBPS", m.vec(v[0]), m.vec(v[1]), m.vec(v[1]))
		}
		m.i("VPSRLD", operand.Imm(16), m.vec(even[1]), m.vec(even[1]))
		m.i("VPBLENDW", operand.Imm(0xaa), m.vec(odd[1]), m.vec(even[1]), m.vec(even[1]))
		m.i("VMOVUPS", m.vec(even[1]), halfAt(16*i))
	}
	m.ctx.Label(next)
	m.i("ADDQ", immediate(64), gprs[0])
}

// roundingRoutines prints the routine for tables.
func (m *Machine) roundingRoutines() {
	// of eight words the low bytes, then the high ones
	var parted []byte
	for i := range 16 {
		parted = append(parted, byte(i%8*2+i/8))
	}
	split := m.constant(strings.Repeat(string(parted), 2))
	m.begin("lookUp", "rounds a table of 16 float32, of which Y15 has the first four and the third and Y14 the others, and stores what it has for the codes in Y13.")
	upper, looked := m.toUpper(), m.newLabel("looked")
	for r := 15; r > 13; r-- {
		m.i("VCVTPS2PH", operand.Imm(0), m.vec(r), xs[r])
		m.i("VPSHUFB", split, xs[r], xs[r])
	}
	m.i("VPUNPCKLDQ", xs[14], xs[15], xs[12])
	m.i("VPUNPCKHDQ", xs[14], xs[15], xs[15])
	m.i("VINSERTI128", operand.Imm(1), xs[12], m.vec(12), m.vec(14))
	m.i("VINSERTI128", operand.Imm(1), xs[15], m.vec(15), m.vec(15))
	m.i("JMP", operand.LabelRef(looked))
	m.ctx.Label(upper)
	for r := 15; r > 13; r-- { // half to even; there is no NaN
		m.i("VPSRLD", operand.Imm(16), m.vec(r), m.vec(12))
		m.i("VPAND", m.everyWord(1), m.vec(12), m.vec(12))
		m.i("VPADDD", m.everyWord(0x7fff), m.vec(r), m.vec(r))
		m.i("VPADDD", m.vec(12), m.vec(r), m.vec(r))
		m.i("VPSRLD", operand.Imm(16), m.vec(r), m.vec(r))
	}
	m.i("VPACKUSDW", m.vec(14), m.vec(15), m.vec(15))
	m.i("VPSHUFB", split, m.vec(15), m.vec(15))
	m.i("VPERMQ", operand.Imm(0x88), m.vec(15), m.vec(14))
	m.i("VPERMQ", operand.Imm(0xdd), m.vec(15), m.vec(15))
	m.ctx.Label(looked)
	m.i("VPSHUFB", m.vec(13), m.vec(14), m.vec(14))
	m.i("VPSHUFB", m.vec(13), m.vec(15), m.vec(15))
	m.i("VPUNPCKLBW", m.vec(15), m.vec(14), m.vec(12))
	m.i("VPUNPCKHBW", m.vec(15), m.vec(14), m.vec(13))
	m.i("VMOVUPS", m.vec(12), halfAt(0))
	m.i("VMOVUPS", m.vec(13), halfAt(16))
	m.i("ADDQ", immediate(64), gprs[0])
	m.i("RET")
}
