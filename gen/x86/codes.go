package x86

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Codes whose layout a word of the call says are read, and written, behind one comparison: the most common layout goes straight on,
// the others aside.

// aside prints code out of the loops' way, which begins at labels of its own.
func (m *Machine) aside(s *plan.Seg, print func()) {
	past := m.streams
	s.Aside(func() {
		m.Stream(past)
		print()
		m.Stream(false)
		m.tailSlot = -1
	})
	m.tailSlot = -1
}

// bothNibbles is 1 + 2^28: the 64 bits of a byte multiplied by it have its low
// nibble at the bottom of their lower half, and its high nibble at that of the upper.
const bothNibbles = 0x10000001

// eachLane is a word for each lane.
func (m *Machine) eachLane(f func(i int) int) []uint32 {
	words := make([]uint32, m.Width())
	for i := range words {
		words[i] = uint32(f(i))
	}
	return words
}

// What ByLayout is asked for.
const (
	codeTable  = iota // the values by the low bits of an index; or, for nibbles with AVX2, what is kept of a signed one
	codeSpread        // what brings codes to the low bits of the lanes; or, nibbles with AVX2, to the highest
)

// byLayout has these for codes of few bits. Bytes need nothing.
func (m *Machine) byLayout(s *plan.Seg, n *ir.Node) plan.V {
	v := s.New(plan.Vec)
	s.Add(plan.Inst{Defs: []plan.V{v, s.New(plan.Vec)}, Emit: func(d, _ []int) {
		nibbles, done := m.newLabel("nibbles"), m.newLabel("done")
		v, sign := m.vec(d[0]), m.vec(d[1])
		choose := func(forNibbles, forCrumbs operand.Op) {
			m.i("VMOVUPS", forNibbles, v)
			m.i("JNE", operand.LabelRef(nibbles))
			m.i("VMOVUPS", forCrumbs, v)
			m.ctx.Label(nibbles)
		}
		m.compareBy(s, n.Kind, ir.LayoutCrumbs)
		m.i("JGT", operand.LabelRef(done))
		if n.Bits == codeSpread {
			ofNibbles := m.whole(m.eachLane(func(i int) int { return 28 - 4*i }))
			if m.wide {
				ofNibbles = m.every(bothNibbles)
			}
			choose(ofNibbles, m.shifts(0))
			m.ctx.Label(done)
			return
		}
		p, err := m.ctx.Param(ir.SignWord).Resolve()
		if err != nil {
			panic(err)
		}
		m.i("VBROADCASTSS", p.Addr, sign)
		ofNibbles := m.every(15)
		if m.wide {
			ofNibbles = m.whole(m.eachLane(func(i int) int { return i }))
		}
		choose(ofNibbles, m.whole(m.eachLane(func(i int) int { return i % 4 })))
		m.bitwise("VPXOR", sign, v, v)
		m.i("VPSUBD", sign, v, v)
		if !m.wide {
			m.i("JNE", operand.LabelRef(done))
		}
		m.i("VCVTDQ2PS", v, v)
		m.ctx.Label(done)
	}})
	return v
}

// shifts bring codes of two bits to the low ones of the lanes, from one of sixteen codes on.
func (m *Machine) shifts(first int) operand.Mem {
	return m.whole(m.eachLane(func(i int) int { return 2 * (first + i) }))
}

// loadCodes reads integer codes as float32. Where they may be of any layout it reads a tile at once, or of a tail, which may hold no more,
// a slot.
func (m *Machine) loadCodes(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr, masked bool) plan.V {
	var uses []plan.V
	for _, a := range args {
		uses = append(uses, a[0])
	}
	turns := !m.wide && s.Turns()
	load := func(slots ...int) []plan.V {
		var values []plan.V
		for range slots {
			values = append(values, s.New(plan.Vec))
		}
		s.Add(plan.Inst{Defs: values, Uses: uses, Apart: true, Emit: func(d, u []int) {
			r := codeReader{m, s, n, slots, d, u, at, masked, turns}
			if layout, ok := s.Layout(); ok {
				r.read(layout, at)
			} else {
				r.readAny()
			}
		}})
		return values
	}
	_, alone := s.Layout()
	if alone || masked {
		return load(slot)[0]
	}
	return s.Tile(n, func() []plan.V { return load(0, 1, 2, 3) })[slot]
}

// codeReader reads codes of some slots to registers, with those that ByLayout has.
type codeReader struct {
	*Machine
	s              *plan.Seg
	n              *ir.Node
	slots, to, has []int
	at             plan.Addr
	masked         bool
	turns          bool // the loop ends with how its next tile begins
}

// readAny asks for the layout. Signed bytes go straight on, and where a loop turns nibbles do behind its end. A tail's codes of few bits are read from the frame, where its first slot
// puts them.
func (c codeReader) readAny() {
	m := c.Machine
	other, unsigned, crumbs, read := m.newLabel("other"), m.newLabel("unsigned"), m.newLabel("crumbs"), m.newLabel("read")
	few := func(layout, bits int, part reg.VecPhysical) {
		from := c.at
		if c.masked {
			from = c.s.Stage(c.n.Name)
			if c.slots[0] == 0 {
				m.bytesMask(8/bits, 0)
				m.i("VMOVDQU8_Z", m.mem(c.at, 0), ks[7], part)
				m.i("VMOVUPS", part, m.mem(from, 0))
			}
		}
		c.read(layout, from)
		if c.masked {
			m.lanes(c.slots[0]) // as behind bytes
		}
		m.i("JMP", operand.LabelRef(read))
	}
	m.compareBy(c.s, c.n.Kind, ir.LayoutSigned)
	m.i("JNE", operand.LabelRef(other))
	nibbles := func() {
		m.Label(other)
		m.i("JGT", operand.LabelRef(unsigned))
		m.i("JPS", operand.LabelRef(crumbs)) // of the difference to signed ones
		few(ir.LayoutNibbles, 4, half(c.to[0]))
	}
	if c.turns {
		straight := m.newLabel("signed")
		m.GroupHead(straight)
		c.s.Turn(func() {
			m.compareBy(c.s, c.n.Kind, ir.LayoutSigned)
			m.i("JEQ", operand.LabelRef(straight))
			nibbles()
		})
	}
	c.read(ir.LayoutSigned, c.at)
	m.ctx.Label(read)
	m.aside(c.s, func() {
		if !c.turns {
			nibbles()
		}
		m.Label(crumbs)
		few(ir.LayoutCrumbs, 2, xs[c.to[0]])
		m.Label(unsigned)
		c.read(ir.LayoutUnsigned, c.at)
		m.i("JMP", operand.LabelRef(read))
	})
	if c.masked {
		m.tailSlot = c.slots[0]
	}
}

// read reads codes of one layout, and brings the pointer behind a whole tile.
func (c codeReader) read(layout int, from plan.Addr) {
	m, w, bits := c.Machine, c.Width(), 8
	for i, slot := range c.slots {
		r := m.vec(c.to[i])
		switch layout {
		case ir.LayoutSigned, ir.LayoutUnsigned:
			name := map[int]string{ir.LayoutSigned: "VPMOVSXBD", ir.LayoutUnsigned: "VPMOVZXBD"}[layout]
			if c.masked {
				m.i(name+"_Z", m.mem(from, w*slot), m.lanes(slot), r)
			} else {
				m.i(name, m.mem(from, w*slot), r)
			}
			m.i("VCVTDQ2PS", r, r)
		case ir.LayoutNibbles:
			bits = 4
			if m.wide {
				m.i("VPMOVZXBQ", m.mem(from, w/2*slot), r)
				m.i("VPMULUDQ", m.vec(c.has[codeSpread]), r, r)
				m.i("VPERMPS", m.vec(c.has[codeTable]), r, r)
				continue
			}
			m.i("VPBROADCASTD", m.mem(from, w/2*slot), r)
			m.i("VPSLLVD", m.vec(c.has[codeSpread]), r, r) // and down again, with its sign
			m.i("VPSRAD", operand.Imm(28), r, r)
			m.i("VPAND", m.vec(c.has[codeTable]), r, r)
			m.i("VCVTDQ2PS", r, r)
		case ir.LayoutCrumbs:
			bits = 2
			first := w * slot
			m.i("VPBROADCASTD", m.mem(from, first/16*4), r) // of sixteen codes
			if first%16 == 0 {
				m.i("VPSRLVD", m.vec(c.has[codeSpread]), r, r)
			} else {
				m.i("VPSRLVD", m.shifts(first%16), r, r)
			}
			if m.wide {
				m.i("VPERMPS", m.vec(c.has[codeTable]), r, r)
			} else { // each half has all four values, and to choose within halves takes half as long
				m.i("VPERMILPS", r, m.vec(c.has[codeTable]), r)
			}
		}
	}
	if !c.masked && c.slots[len(c.slots)-1] == 3 {
		m.AddImm(c.at.Reg, 4*w*bits/8)
	}
}

// storeCodes packs integers of 16 bits to bytes, clips these, and stores them as a word says, and brings
// the pointer behind them. Signed bytes go straight on.
func (m *Machine) storeCodes(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr, masked bool) {
	uses := []plan.V{args[0][0], args[0][1]}
	for _, a := range args[1:] {
		uses = append(uses, a[0])
	}
	s.Add(plan.Inst{Defs: []plan.V{s.New(plan.Vec)}, Uses: uses, Apart: true, Emit: func(d, u []int) {
		other, unsigned, crumbs, stored := m.newLabel("other"), m.newLabel("unsigned"), m.newLabel("crumbs"), m.newLabel("stored")
		r, w := m.vec(d[0]), bytesTo{m, at, masked}
		bytes := func(sign string) {
			m.i("VPACK"+sign+"SWB", m.vec(u[1]), m.vec(u[0]), r)
			m.i("VPMAX"+sign+"B", m.vec(u[2]), r, r)
			m.i("VPMIN"+sign+"B", m.vec(u[3]), r, r)
			m.i("VPERMD", r, m.vec(u[4]), r)
		}
		m.compareBy(s, n.Kind, ir.LayoutSigned)
		m.i("JNE", operand.LabelRef(other))
		bytes("S")
		w.store(r)
		m.ctx.Label(stored)
		m.aside(s, func() {
			pack := func(bits, first int, of []uint32) {
				var words []operand.Op
				for i, w := range of {
					if m.wide {
						words = append(words, m.vec(u[first+i]))
					} else {
						words = append(words, m.every(w))
					}
				}
				m.packLow(d[0], d[0], words, at, masked)
				w.advance(bits)
				m.i("JMP", operand.LabelRef(stored))
			}
			m.Label(other)
			m.i("JGT", operand.LabelRef(unsigned))
			bytes("S")
			m.i("JPS", operand.LabelRef(crumbs)) // of the difference to signed ones
			pack(4, 5, nibbleWords)
			m.Label(crumbs)
			pack(2, 7, crumbWords)
			m.Label(unsigned)
			bytes("U")
			w.store(r)
			m.i("JMP", operand.LabelRef(stored))
		})
	}})
}

// storeFloat shifts halves to where their bytes are, and stores codes as a word says, and brings the pointer
// behind them. Bytes go straight on.
func (m *Machine) storeFloat(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr, masked bool) {
	uses := []plan.V{args[0][0], args[0][1], args[1][0], args[1][1]}
	for _, a := range args[2:] {
		uses = append(uses, a[0])
	}
	hasNaN := len(n.Args) > 3
	s.Add(plan.Inst{Defs: uses[:4], Uses: uses, Emit: func(_, u []int) { // in place
		other, listed, stored := m.newLabel("other"), m.newLabel("listed"), m.newLabel("stored")
		r, t, w := m.vec(u[0]), m.vec(u[1]), bytesTo{m, at, masked}
		signs, moreSigns := m.vec(u[2]), m.vec(u[3])
		top, order, sign := m.vec(u[4]), m.vec(u[len(u)-2]), m.vec(u[len(u)-1])
		store := func() {
			if hasNaN {
				m.bitwise("VPOR", m.vec(u[5]), r, r)
			}
			w.store(r)
		}
		putSigns := func(mask operand.Op, signs, r reg.VecPhysical) {
			if m.wide {
				m.i("VPTERNLOGD", operand.U8(0xf8), mask, signs, r)
			} else {
				m.i("VPAND", mask, signs, signs)
				m.i("VPOR", signs, r, r)
			}
		}
		shifted := func(by uint64) {
			m.i("VPSRLW", operand.Imm(by), r, r)
			m.i("VPSRLW", operand.Imm(by), t, t)
			m.i("VPACKUSWB", t, r, r)
		}
		m.compareBy(s, n.Kind, ir.LayoutUnsigned)
		m.i("JNE", operand.LabelRef(other))
		shifted(7)
		m.i("VPACKSSWB", moreSigns, signs, signs) // saturation keeps them
		m.i("VPMINUB", top, r, r)
		putSigns(sign, signs, r)
		m.i("VPERMD", r, order, r)
		store()
		m.ctx.Label(stored)
		m.aside(s, func() {
			m.Label(other)
			mask := m.every(0x80008000) // above the three bits
			putSigns(mask, signs, r)
			putSigns(mask, moreSigns, t)
			shifted(12)
			m.i("VPERMD", r, order, r)
			m.i("JGT", operand.LabelRef(listed))
			m.packLow(u[0], u[0], []operand.Op{m.every(nibbleWords[0])}, at, masked)
			w.advance(4)
			m.i("JMP", operand.LabelRef(stored))
			m.Label(listed)
			m.i("VMOVUPS", m.constant(strings.Repeat(n.Table, m.Width()/4)), t)
			m.i("VPSHUFB", r, t, r)
			store()
			m.i("JMP", operand.LabelRef(stored))
		})
	}})
}

// bytesTo is where a tile of codes is written.
type bytesTo struct {
	m      *Machine
	at     plan.Addr
	masked bool
}

// store stores bytes, and advances.
func (w bytesTo) store(r reg.VecPhysical) {
	if w.masked {
		w.m.i("VMOVDQU8", r, w.m.lanes(0), w.m.mem(w.at, 0))
	} else {
		w.m.i("VMOVUPS", r, w.m.mem(w.at, 0))
	}
	w.advance(8)
}

// advance brings the pointer behind a whole tile's codes of so many bits.
func (w bytesTo) advance(bits int) {
	if !w.masked {
		w.m.AddImm(w.at.Reg, 4*w.m.Width()*bits/8)
	}
}

// compareBy compares a word that a loop looks at.
func (m *Machine) compareBy(s *plan.Seg, word string, with int8) {
	if w, ok := s.Word(word); ok {
		m.i("CMPL", gprs[w].As32(), operand.I8(with))
	} else {
		m.compareWord(word, with)
	}
}
