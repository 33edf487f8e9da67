package x86

import (
	"math"
	"slices"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Lists: AVX2 takes many instructions to round, and AVX-512 few.
func (m *Machine) Lists() bool { return !m.wide }

// Codes are two registers of integers, in the order in which List wants them; of E2M1 one register of those without a sign; or what ByLayout has, four in each half.
func (m *Machine) Codes(s *plan.Seg, load *ir.Node) []plan.V {
	floats := func(list []float32) string {
		words := make([]uint32, len(list))
		for i, v := range list {
			words[i] = math.Float32bits(v)
		}
		return littleEndian(words)
	}
	layout, _ := s.Layout()
	switch {
	case load.Mem == ir.MemE2M1:
		return []plan.V{s.Op(plan.Vec, func(d int, _ []int) { m.i("VMOVUPS", m.constant(floats(e2m1[:8])), m.vec(d)) })}
	case layout == ir.LayoutCrumbs:
		return []plan.V{s.Extra(load, codeTable)}
	}
	numbers := []plan.V{s.New(plan.Vec), s.New(plan.Vec)}
	s.Add(plan.Inst{Defs: numbers, Emit: func(d, _ []int) {
		// Lists in order and, for bfloat16, of even and of odd codes; of unsigned codes and, at eight times what the word says, of signed ones.
		list := make([]float32, 64)
		for i := range 16 {
			turned := 32 + i%2*8 + i/2
			list[i], list[16+i], list[turned], list[16+turned] = float32(i), float32(i^8-8), float32(i), float32(i^8-8)
		}
		m.i("LEAQ", m.constant(floats(list)), scratch2)
		m.i("MOVL", m.word(ir.ElemWord), scratch.As32())
		m.i("SHLL", operand.Imm(4), scratch.As32())
		m.i("ADDL", m.word(ir.SignWord), scratch.As32())
		for i := range d {
			m.i("VMOVUPS", operand.Mem{Base: scratch2, Index: scratch, Scale: 8, Disp: 32*i - 128*ir.ElemF16}, m.vec(d[i]))
		}
	}})
	return numbers
}

// List rounds the numbers of a group, and parts the words that they become to a table of lower bytes and one of upper ones, in both halves.
func (m *Machine) List(s *plan.Seg, load *ir.Node, numbers []plan.V) (low, high plan.V) {
	low, high = s.New(plan.Vec), s.New(plan.Vec)
	temps := []plan.V{low, high, s.New(plan.Vec), s.New(plan.Vec)}
	s.Add(plan.Inst{Defs: temps, Uses: numbers, Apart: true, Emit: func(d, u []int) {
		low, high, t, a := m.vec(d[0]), m.vec(d[1]), m.vec(d[2]), m.vec(u[0])
		half := func(v int) { m.i("VCVTPS2PH", operand.Imm(0), m.vec(u[v]), xs[d[v]]) }
		bytes := func(from, to reg.VecPhysical, words ...uint32) {
			for len(words) < m.Width() {
				words = append(words, words...)
			}
			m.i("VPSHUFB", m.whole(words), from, to)
		}
		round := func() { // to the upper halves of lanes
			m.i("VPSRLD", operand.Imm(16), a, t)
			m.i("VPAND", m.every(1), t, t)
			m.i("VPADDD", t, a, t)
			m.i("VPADDD", m.every(0x7fff), t, t)
		}
		switch {
		case len(u) == 2:
			b, second := m.vec(u[1]), m.vec(d[3])
			m.byElem(s, ir.ElemWord, func() { m.roundWords(a, b, high, t, second) }, func() {
				half(0)
				half(1)
				m.i("VINSERTI128", operand.Imm(1), xs[d[1]], low, high)
			})
			m.part(high, low)
		case load.Mem == ir.MemE2M1:
			const none = 0x80808080
			m.byElem(s, ir.ElemWord, func() {
				round()
				bytes(t, t, 0x0e0a0602, none, 0x0f0b0703, none, none, 0x0e0a0602, none, 0x0f0b0703)
				m.i("VPERMQ", operand.Imm(0x4e), t, high)
				m.i("VPOR", t, high, high)
			}, func() {
				half(0)
				bytes(low, low, 0x06040200, 0x0e0c0a08, 0x07050301, 0x0f0d0b09)
				m.i("VINSERTI128", operand.Imm(1), xs[d[0]], low, high)
			})
			m.withSigns(high, low)
		default:
			m.byElem(s, ir.ElemWord, func() {
				round()
				bytes(t, low, 0x0e0a0602)
				bytes(t, high, 0x0f0b0703)
			}, func() {
				half(0)
				m.i("VPBROADCASTQ", xs[d[0]], high)
				bytes(high, low, 0x06040200)
				bytes(high, high, 0x07050301)
			})
		}
	}})
	return low, high
}

// LookUp gives each code a byte, and looks up two. The first and the third quarter of a tile are in one half, so that the words of the bytes are in order.
func (m *Machine) LookUp(s *plan.Seg, load *ir.Node, low, high plan.V, from, to plan.Addr) {
	layout, _ := s.Layout()
	name, toByte, shifts := "VBROADCASTI128", 2, []uint64{4}
	if layout == ir.LayoutCrumbs {
		name, toByte, shifts = "VPBROADCASTQ", 4, []uint64{6, 12}
	}
	var order [32]byte
	for i := range order {
		order[i] = 0x80 // no byte
		if code := i/16*8 + i%16/8*16 + i%8; code%toByte == 0 {
			order[i] = byte(code / toByte)
		}
	}
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec), s.New(plan.Vec), s.New(plan.Vec)}, Uses: []plan.V{low, high}, Apart: true, Emit: func(d, u []int) {
		codes, lower, words := m.vec(d[0]), m.vec(d[1]), m.vec(d[2])
		m.i(name, m.mem(from, 0), codes)
		if load.Mem.HasLayout() {
			m.AddImm(from.Reg, 4*m.Width()/toByte)
		}
		m.i("VPSHUFB", m.constant(string(order[:])), codes, codes)
		for _, shift := range shifts {
			m.i("VPSLLD", operand.Imm(shift), codes, lower)
			m.i("VPOR", lower, codes, codes)
		}
		m.i("VPAND", m.every(0x01010101*(1<<(8/toByte)-1)), codes, codes)
		m.i("VPSHUFB", codes, m.vec(u[0]), lower)
		m.i("VPSHUFB", codes, m.vec(u[1]), codes)
		m.i("VPUNPCKLBW", codes, lower, words)
		m.i("VMOVUPS", words, m.mem(to, 0))
		m.i("VPUNPCKHBW", codes, lower, words)
		m.i("VMOVUPS", words, m.mem(to, 32))
	}})
}

// LookUpTwo makes the tables of a group in each half of a register: of the results of 0, 1/2, 1, 3/2, 2, 3, 4 and 6, and of these with the other sign.
func (m *Machine) LookUpTwo(s *plan.Seg, scales [2]plan.V, from, to plan.Addr) {
	temps := []plan.V{s.New(plan.Vec), s.New(plan.Vec), s.New(plan.Vec), s.New(plan.Vec)}
	s.Add(plan.Inst{Defs: temps, Uses: scales[:], Apart: true, Emit: func(d, u []int) {
		a, b, high, low := m.vec(d[0]), m.vec(d[1]), m.vec(d[2]), m.vec(d[3])
		every := func(first int) operand.Op { // second of them, in both halves
			return m.whole(m.eachLane(func(i int) int { return int(math.Float32bits(e2m1[first+i%4*2])) }))
		}
		m.i("VBLENDPS", operand.Imm(0xf0), m.vec(u[1]), m.vec(u[0]), b)
		m.i("VMULPS", every(0), b, a)
		m.i("VMULPS", every(1), b, b)
		m.byElem(s, ir.ElemWord, func() { m.roundWords(a, b, high, a, b) }, func() {
			m.i("VCVTPS2PH", operand.Imm(0), a, xs[d[0]])
			m.i("VCVTPS2PH", operand.Imm(0), b, xs[d[1]])
			m.i("VPUNPCKLWD", xs[d[1]], xs[d[0]], xs[d[2]])
			m.i("VPUNPCKHWD", xs[d[1]], xs[d[0]], xs[d[0]])
			m.i("VINSERTI128", operand.Imm(1), xs[d[0]], high, high)
		})
		m.i("VPSHUFB", m.whole(evenBytesFirst), high, high)
		m.withSigns(high, low)
		codes := a
		m.i("VPMOVZXBW", m.mem(from, 0), codes)
		m.i("VPSLLW", operand.Imm(4), codes, b)
		m.i("VPOR", b, codes, codes)
		m.i("VPAND", m.every(0x0f0f0f0f), codes, codes)
		m.i("VPSHUFB", codes, low, low)
		m.i("VPSHUFB", codes, high, high)
		m.i("VPUNPCKLBW", high, low, a)
		m.i("VPUNPCKHBW", high, low, b)
		for i, halves := range []uint64{0x20, 0x31} {
			m.i("VPERM2I128", operand.Imm(halves), b, a, low)
			m.i("VMOVUPS", low, m.mem(to, 32*i))
		}
	}})
}

// withSigns makes of the upper bytes of eight results, behind the lower ones in both halves, a table that has those with the other sign too, and another of the lower ones.
func (m *Machine) withSigns(high, low reg.VecPhysical) {
	m.i("VPUNPCKLQDQ", high, high, low)
	m.i("VPUNPCKHQDQ", high, high, high)
	m.i("VPXOR", m.whole(slices.Repeat([]uint32{0, 0, 0x80808080, 0x80808080}, 2)), high, high)
}

// evenBytesFirst has the lower bytes of words, and then the upper ones.
var evenBytesFirst = slices.Repeat([]uint32{0x06040200, 0x0e0c0a08, 0x07050301, 0x0f0d0b09}, 2)

// Of E4M3 the four upper bits of a code are its sign and three of its exponent, of which each step adds two to the upper byte of a bfloat16. So there are
// tables by the four lower ones: of codes below 16, among which are the subnormal ones, and of those from there on.

// CheckScale leaves for float16, and unless all products with such a number are normal numbers of bfloat16, but those of codes below 16.
func (m *Machine) CheckScale(s *plan.Seg, scale plan.V, otherwise string) {
	const least, most = 14 << 23, 253 << 23 // codes are read as 1/256 of what they are, 16 as 2^-13
	s.Add(plan.Inst{Uses: []plan.V{scale}, Emit: func(_, u []int) {
		m.compareBy(s, ir.ElemWord, ir.ElemBF16)
		m.i("JNE", operand.LabelRef(otherwise))
		m.i("VMOVD", xs[u[0]], scratch.As32())
		m.i("ANDL", operand.U32(0x7fffffff), scratch.As32())
		m.i("SUBL", operand.U32(least), scratch.As32())
		m.i("CMPL", scratch.As32(), operand.U32(most-least))
		m.i("JCC", operand.LabelRef(otherwise))
	}})
}

// CodesPart are sixteen codes, those with an even number first.
func (m *Machine) CodesPart(s *plan.Seg, part int) (numbers []plan.V) {
	for odd := range 2 {
		words := m.eachLane(func(i int) int {
			code := 16*part + 2*i + odd
			v := math.Ldexp(float64(code%8), -9-8)
			if code >= 8 {
				v = math.Ldexp(float64(8+code%8), code/8-10-8)
			}
			return int(math.Float32bits(float32(v)))
		})
		numbers = append(numbers, s.Op(plan.Vec, func(d int, _ []int) { m.i("VMOVUPS", m.whole(words), m.vec(d)) }))
	}
	return numbers
}

// ListPart makes two tables, and behind the last ones two that say by the upper bits of a code whether it is one of the first, and what is added to the upper byte.
func (m *Machine) ListPart(s *plan.Seg, part int, numbers []plan.V) []plan.V {
	low, high := s.New(plan.Vec), s.New(plan.Vec)
	s.Add(plan.Inst{Defs: append([]plan.V{low, high}, numbers...), Uses: numbers, Apart: true, Emit: func(d, _ []int) {
		low, high, a, b := m.vec(d[0]), m.vec(d[1]), m.vec(d[2]), m.vec(d[3])
		m.roundWords(a, b, high, a, b)
		m.part(high, low)
	}})
	tables := []plan.V{low, high}
	if part == 0 {
		return tables
	}
	const first, steps = 0, 1
	for table := range 2 {
		var bytes [16]byte
		for i := range bytes {
			switch step := i % 8; {
			case table == steps:
				bytes[i] = byte(i/8*0x80 + max(0, step-1))
			case step == 0:
				bytes[i] = 0xff
			}
		}
		tables = append(tables, s.Op(plan.Vec, func(d int, _ []int) { m.i("VMOVUPS", m.constant(string(bytes[:])+string(bytes[:])), m.vec(d)) }))
	}
	return tables
}

// part leaves the upper bytes of sixteen words in both halves of a register, and puts the lower ones into another.
func (m *Machine) part(words, low reg.VecPhysical) {
	m.i("VPSHUFB", m.whole(evenBytesFirst), words, words)
	m.i("VPERMQ", operand.Imm(0x88), words, low)
	m.i("VPERMQ", operand.Imm(0xdd), words, words)
}

// LookUpFloats does a tile by the tables.
func (m *Machine) LookUpFloats(s *plan.Seg, tables []plan.V, from, to plan.Addr) {
	var temps []plan.V
	for range 5 {
		temps = append(temps, s.New(plan.Vec))
	}
	s.Add(plan.Inst{Defs: temps, Uses: tables, Apart: true, Emit: func(d, u []int) {
		codes, upper, is, t, low := m.vec(d[0]), m.vec(d[1]), m.vec(d[2]), m.vec(d[3]), m.vec(d[4])
		high := codes
		fifteen := m.every(0x0f0f0f0f)
		look := func(table int, index, to reg.VecPhysical) { m.i("VPSHUFB", index, m.vec(u[table]), to) }
		const first, steps = 4, 5
		m.i("VPERMQ", operand.Imm(0xd8), m.mem(from, 0), codes)
		m.i("VPSRLW", operand.Imm(4), codes, upper)
		m.i("VPAND", fifteen, codes, codes)
		m.i("VPAND", fifteen, upper, upper)
		look(first, upper, is)
		look(steps, upper, upper)
		for i, to := range []reg.VecPhysical{low, high} {
			look(i, codes, t)
			look(2+i, codes, to)
			m.i("VPBLENDVB", is, t, to, to)
		}
		m.i("VPADDB", upper, high, high)
		m.i("VPUNPCKLBW", high, low, t)
		m.i("VMOVUPS", t, m.mem(to, 0))
		m.i("VPUNPCKHBW", high, low, t)
		m.i("VMOVUPS", t, m.mem(to, 32))
	}})
}
