package x86

import (
	"slices"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// A tile of elements of which a word says whether they are float16 or bfloat16 is loaded, and stored, behind one
// comparison; with AVX2 each half may be stored behind its own. bfloat16 goes straight on, float16 aside, or with AVX2 where codes
// become elements the other way round: float16 takes so few instructions there that two jumps count.

// byElem prints what is done with the elements of a tile.
func (m *Machine) byElem(s *plan.Seg, word string, bf16, f16 func()) {
	m.straightOr(s, word, "JNE", bf16, f16)
}

// straightOr prints what is done with bfloat16, unless the comparison with that has it jump to what is done aside.
func (m *Machine) straightOr(s *plan.Seg, word, jump string, straight, aside func()) {
	other, done := m.newLabel("half"), m.newLabel("halfdone")
	m.compareBy(s, word, ir.ElemBF16)
	m.i(jump, operand.LabelRef(other))
	straight()
	m.ctx.Label(done)
	m.aside(s, func() {
		m.Label(other)
		aside()
		m.i("JMP", operand.LabelRef(done))
	})
}

// loadNarrow widens a slot of a tile, and all others with the first.
func (m *Machine) loadNarrow(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr, masked bool) plan.V {
	size := 2 * m.Width()
	at.Disp -= slot * size
	return s.Tile(n, func() []plan.V {
		var uses []plan.V
		for _, a := range args {
			uses = append(uses, a[0])
		}
		var tile []plan.V
		for range s.Registers() {
			tile = append(tile, s.New(plan.Vec))
		}
		s.Add(plan.Inst{Defs: tile, Uses: uses, Apart: true, Emit: func(d, u []int) {
			each := func(load func(slot, d int, at plan.Addr)) func() {
				return func() {
					for slot, d := range d {
						at := at
						at.Disp += slot * size
						load(slot, d, at)
					}
				}
			}
			m.byElem(s, n.Kind, each(func(slot, d int, at plan.Addr) {
				if len(u) > 0 && !masked { // one of two registers that 64 bytes are for
					at.Disp -= slot % 2 * size
					m.i("VPERMW_Z", m.mem(at, 0), m.vec(u[slot%2]), ks[u[2]], m.vec(d))
					return
				}
				m.widenHalf("VPMOVZXWD", slot, d, at, masked)
				m.i("VPSLLD", operand.Imm(16), m.vec(d), m.vec(d))
			}), each(func(slot, d int, at plan.Addr) { m.widenHalf("VCVTPH2PS", slot, d, at, masked) }))
		}})
		return tile
	})[slot]
}

// widenUpper widens what is in the upper halves of lanes, where bfloat16 is float32 already.
func (m *Machine) widenUpper(s *plan.Seg, n *ir.Node, v plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		if d != u[0] {
			m.i("VMOVAPS", m.vec(u[0]), m.vec(d))
		}
		m.byElem(s, n.Kind, func() {}, func() {
			m.upper(d, d)
			m.i("VCVTPH2PS", m.narrow(d), m.vec(d))
		})
	}, v)
}

// loadsNarrow reports whether a kernel loads such elements too.
func loadsNarrow(k *ir.Kernel) bool {
	return slices.ContainsFunc(k.Nodes, func(n *ir.Node) bool { return n.Op == ir.OpLoad && n.Mem == ir.MemNarrow })
}

// storeNarrow rounds two registers to elements, or all four when the last are there, if there are registers to keep them: with AVX-512,
// and in kernels that make elements of codes.
func (m *Machine) storeNarrow(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr, masked bool) {
	v, size := args[0], 2*m.Width()
	if s.Registers() == 4 && (m.wide || !loadsNarrow(ir.Of(n))) {
		kept := func(i int) plan.V { return s.Once(n, i, func() plan.V { return v[i] }) }
		a, b := kept(0), kept(1)
		if slot == 0 {
			return
		}
		at.Disp -= 2 * size
		v, slot = []plan.V{a, b, v[0], v[1]}, 0
	}
	registers, uses := len(v), slices.Clone(v)
	for _, a := range args[1:] {
		uses = append(uses, a[0])
	}
	temps := []plan.V{s.New(plan.Vec)}
	if m.wide {
		temps = append(temps, s.New(plan.Vec), s.New(plan.Mask))
	} else {
		temps = append(temps, v...) // the numbers are for nothing else
	}
	s.Add(plan.Inst{Defs: temps, Uses: uses, Apart: true, Emit: func(d, u []int) {
		place := func(i int) plan.Addr {
			at := at
			at.Disp += size * i
			return at
		}
		bf16 := func() {
			for i := 0; i < registers; i += 2 {
				a, b := m.vec(u[i]), m.vec(u[i+1])
				if m.wide {
					m.roundPair(d, a, b, u[registers:])
					m.storeWords(d[0], i, place(i), masked)
				} else {
					m.storeRounded(a, b, m.vec(d[0]), a, b, place(i))
				}
			}
		}
		f16 := func() {
			for i := range registers {
				h := d[i%2]
				if !m.wide {
					h = u[i]
				}
				m.i("VCVTPS2PH", operand.Imm(0), m.vec(u[i]), m.narrow(h))
				m.storeHalf(h, 2*slot+i, place(i), masked)
			}
		}
		if m.wide || registers < 4 {
			m.byElem(s, n.Kind, bf16, f16)
		} else {
			m.straightOr(s, n.Kind, "JEQ", f16, bf16)
		}
	}})
}

// roundPair is storeWideBF16 with registers: the words of two registers come to the first of d, by way of the second and of a mask.
func (m *Machine) roundPair(d []int, a, b operand.Op, c []int) {
	high, low, carry := m.vec(d[0]), m.vec(d[1]), ks[d[2]]
	ones, most := m.vec(c[0]), m.vec(c[1])
	m.i("VMOVDQA64", a, high)
	m.i("VMOVDQA64", a, low)
	m.i("VPERMT2W", b, m.vec(c[3]), high)
	m.i("VPERMT2W", b, m.vec(c[2]), low)
	m.i("VPTERNLOGD", operand.U8(0xf8), ones, high, low) // low | high&ones
	m.i("VPCMPUW", operand.Imm(6), most, low, carry)
	m.i("VPADDW", ones, high, carry, high)
}

// roundElem rounds numbers to the element type that a word says. float32 goes straight on.
func (m *Machine) roundElem(s *plan.Seg, n *ir.Node, v plan.V) plan.V {
	rounded := s.New(plan.Vec)
	s.Add(plan.Inst{Defs: []plan.V{rounded, s.New(plan.Vec), s.New(m.MaskClass())}, Uses: []plan.V{v}, Apart: true, Emit: func(d, u []int) {
		x, y := m.vec(u[0]), m.vec(d[0])
		other, half, done := m.newLabel("elem"), m.newLabel("half"), m.newLabel("elemdone")
		m.i("VMOVAPS", x, y)
		m.compareBy(s, n.Kind, ir.ElemF32)
		m.i("JNE", operand.LabelRef(other))
		m.ctx.Label(done)
		s.Aside(func() {
			m.ctx.Label(other)
			m.compareBy(s, n.Kind, ir.ElemBF16)
			m.i("JNE", operand.LabelRef(half))
			r := m.vec(d[1])
			m.i("VPSLLD", operand.Imm(15), x, r) // just below half of the last place kept is added, and its last bit
			m.i("VPSRLD", operand.Imm(31), r, r)
			m.i("VPADDD", r, x, r)
			m.i("VPADDD", m.every(0x7fff), r, r)
			m.i("VPSRLD", operand.Imm(16), r, r)
			m.i("VPSLLD", operand.Imm(16), r, r)
			if m.wide { // what is no number stays what it is
				m.i("VCMPPS", operand.Imm(7), x, x, ks[d[2]])
				m.i("VMOVAPS", r, ks[d[2]], y)
			} else {
				m.i("VCMPPS", operand.Imm(7), x, x, m.vec(d[2]))
				m.i("VBLENDVPS", m.vec(d[2]), r, x, y)
			}
			m.i("JMP", operand.LabelRef(done))
			m.ctx.Label(half)
			m.i("VCVTPS2PH", operand.Imm(0), x, m.narrow(d[0]))
			m.i("VCVTPH2PS", m.narrow(d[0]), y)
			m.i("JMP", operand.LabelRef(done))
		})
	}})
	return rounded
}
