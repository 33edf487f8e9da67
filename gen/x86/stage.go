package x86

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	avoir "github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Routines move a part of a tile to the frame and back, spread parameters there, and fetch input,
// for all functions. Of those that use the frame RAX is the place in it, RCX that in memory, which they keep in front of the
// other or find there, and RDI the number of elements, at least one and less than a tile. They overwrite RAX, RCX, R14, the first two
// vector registers, K0 and K7; those that fetch overwrite nothing. Behind 32-bit numbers RAX is the place of the next array.

var (
	inFrame, inMemory, count, bytes = reg.RAX, reg.RCX, gprs[0], reg.R14

	pointer = operand.Mem{Base: inFrame, Disp: -8} // to where a tile in the frame belongs

	elementBits = []int{1, 2, 4, 8, 16, 32}
)

// routine is the name of one, which says what it does, with a number if there are several. Those that fetch have no vectors, and are AVX2's.
func (m *Machine) routine(does string, number ...int) string {
	isa := "AVX2"
	if m.wide && does != fetching {
		isa = "AVX512"
	}
	for _, n := range number {
		does += strconv.Itoa(n)
	}
	return does + isa
}

func (m *Machine) call(a plan.Addr, p plan.GPR, does string, number ...int) {
	m.i("LEAQ", m.mem(a, 0), inFrame)
	m.i("MOVQ", gprs[p], inMemory)
	m.callRoutine(does, number...)
}

func (m *Machine) callRoutine(does string, number ...int) {
	m.i("CALL", operand.LabelRef("·"+m.routine(does, number...)+"(SB)"))
}

// StageIn copies elements to the frame, in front of zeros or copies of the first.
func (m *Machine) StageIn(a plan.Addr, p plan.GPR, bits int, fill bool) {
	if fill {
		m.call(a, p, "stageFilled", bits)
	} else {
		m.call(a, p, "stageIn", bits)
	}
}

// StageOut copies elements back; bits behind the last are zero.
func (m *Machine) StageOut(a plan.Addr, bits int) {
	m.i("LEAQ", m.mem(a, 0), inFrame)
	m.callRoutine("stageOut", bits)
}

// StageOutBy copies such back.
func (m *Machine) StageOutBy(a plan.Addr, out *ir.Stream) {
	does := "stageOutCodes"
	if out.Mem == ir.MemMask {
		does = "stageOutMask"
	}
	m.PassWord(out)
	m.i("LEAQ", m.mem(a, 0), inFrame)
	m.callRoutine(does)
	m.tailSlot = -1
}

// PassTo sets RAX to a place in the frame.
func (m *Machine) PassTo(a plan.Addr) { m.i("LEAQ", m.mem(a, 0), inFrame) }

// PassWord puts a stream's word into R14 for a routine that goes by it.
func (m *Machine) PassWord(s *ir.Stream) { m.i("MOVL", m.word(s.Kind), bytes.As32()) }

// Pass calls the routine of a pointer.
func (m *Machine) Pass(w plan.Way, p plan.GPR) {
	pass := plan.Passage{Way: w, Pointer: p}
	m.passages[pass] = true
	m.callRoutine(passing(pass))
}

func passing(p plan.Passage) string { return string(p.Way) + gprs[p.Pointer].Asm() }

// Passages are those that the functions call.
func (m *Machine) Passages() plan.Passages { return m.passages }

// passage is the routine of a pointer: it goes on with that of all pointers.
func (m *Machine) passage(p plan.Passage) {
	does := passing(p)
	m.begin(does, fmt.Sprintf("is %s for what %s points to, and sets that to the place in the frame.", m.routine(string(p.Way)), gprs[p.Pointer].Asm()))
	m.i("MOVQ", gprs[p.Pointer], inMemory)
	if p.Way != plan.Spread && p.Way != plan.Repeated {
		m.align()
	}
	m.i("MOVQ", inFrame, gprs[p.Pointer])
	m.ctx.Instruction(&avoir.Instruction{Opcode: "JMP", Operands: []operand.Op{operand.LabelRef("·" + m.routine(string(p.Way)) + "(SB)")}})
}

// passed returns with RAX behind what has passed.
func (m *Machine) passed(w plan.Way) {
	m.i("ADDQ", immediate(w.Room(m)), inFrame)
	m.i("RET")
}

// SetGroups puts the number of those groups into R14.
func (m *Machine) SetGroups(groups int) { m.i("MOVL", operand.U32(uint32(groups)), bytes.As32()) }

// Keep stores a general register in the frame, KeepNumber a number.
func (m *Machine) Keep(a plan.Addr, r plan.GPR) { m.i("MOVQ", gprs[r], m.mem(a, 0)) }
func (m *Machine) KeepNumber(a plan.Addr, imm int) {
	m.i("MOVQ", operand.I32(int32(imm)), m.mem(a, 0))
}

// Recall loads a general register from the frame.
func (m *Machine) Recall(r plan.GPR, a plan.Addr) { m.i("MOVQ", m.mem(a, 0), gprs[r]) }

// Point sets a general register to a place in the frame.
func (m *Machine) Point(r plan.GPR, a plan.Addr) { m.i("LEAQ", m.mem(a, 0), gprs[r]) }

// Divert has results go to the frame.
func (m *Machine) Divert(a plan.Addr, p plan.GPR) {
	if m.wide {
		m.i("MOVQ", gprs[p], m.mem(a, -8))
		m.Point(p, a)
		return
	}
	m.PassTo(a)
	m.align()
	m.i("MOVQ", gprs[p], pointer)
	m.i("MOVQ", inFrame, gprs[p])
}

// Slack is what a multiple of a register's bytes can be away with AVX2, as a stack has multiples of 8. With
// AVX-512 what is left has masks, and is seldom in the frame.
func (m *Machine) Slack() int {
	if m.wide {
		return 0
	}
	return 32 - 8
}

// align has a place in the frame begin where a register may with AVX2.
func (m *Machine) align() {
	if !m.wide {
		m.i("ANDQ", operand.I8(-32), inFrame)
	}
}

// BranchKept jumps if a number was kept.
func (m *Machine) BranchKept(a plan.Addr, imm int, l string) {
	m.i("CMPQ", m.mem(a, 0), immediate(imm))
	m.i("JEQ", operand.LabelRef(l))
}

// PartMask puts a bit for each of n elements into K7.
func (m *Machine) PartMask(n plan.GPR) {
	m.i("MOVQ", operand.I32(-1), scratch)
	m.i("BZHIQ", gprs[n], scratch, scratch)
	m.i("KMOVQ", scratch, ks[7])
}

// LoadPart loads those elements, over copies of the first.
func (m *Machine) LoadPart(s *plan.Seg, bits int, at plan.Addr) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) { m.loadPart(bits, at, at, ks[7], d) })
}

// loadPart loads the elements of a mask, over copies of the first.
func (m *Machine) loadPart(bits int, first, at plan.Addr, mask reg.OpmaskPhysical, d int) {
	fill, load := "VBROADCASTSS", "VMOVUPS"
	if bits == 16 {
		fill, load = "VPBROADCASTW", "VMOVDQU16"
	}
	m.i(fill, m.mem(first, 0), m.vec(d))
	m.i(load, m.mem(at, 0), mask, m.vec(d))
}

// Routines prints all of them, and those of pointers.
func (m *Machine) Routines(passages plan.Passages) {
	for _, bits := range elementBits {
		m.begin("stageIn", fmt.Sprintf("copies elements of %d bits to the frame, in front of zeros.", bits), bits)
		m.stageIn(bits)
		m.begin("stageOut", fmt.Sprintf("copies elements of %d bits back; bits behind the last are zero.", bits), bits)
		m.stageOut(bits)
	}
	m.begin("stageInCodes", "copies codes to the frame, in front of zeros, in the layout that R14 says.")
	m.goBy("stageIn", ir.LayoutCrumbs, 4, 2, 8)
	m.begin("stageOutCodes", "copies such codes back.")
	m.goBy("stageOut", ir.LayoutCrumbs, 4, 2, 8)
	m.begin("stageOutMask", "copies a mask of the kind that R14 says back, if it is of any.")
	m.goBy("stageOut", ir.MaskBytes, 0, 8, 1)
	if !m.wide { // masks leave nothing to fill
		for _, bits := range []int{16, 32} {
			m.begin("stageFilled", fmt.Sprintf("copies elements of %d bits to the frame, in front of copies of the first.", bits), bits)
			m.stageFilled(bits)
		}
	}
	m.begin("spread", "puts the parameters of the groups in a tile, of which R14 has the number, in the frame, once for each element.")
	m.spreadTile()
	m.rowRoutines()
	m.begin("total", fmt.Sprintf("adds up the accumulators in front of %s to %s.", gprs[0].Asm(), m.vec(0).Asm()))
	plan.PrintTotal(m)
	m.i("RET")
	for _, p := range passages.Sorted() {
		m.passage(p)
	}
	if !m.wide {
		m.roundingRoutines()
	}
	for lines := 1; lines <= 4 && !m.wide; lines *= 2 {
		m.begin(fetching, fmt.Sprintf("fetches %d bytes from RAX on: into the second cache if RCX is at least %d, else into the first alone.", 64*lines, farFetch), 64*lines)
		m.fetch(lines)
	}
}

func (m *Machine) begin(does, doc string, number ...int) {
	name := m.routine(does, number...)
	m.ctx.Function(name)
	m.ctx.SignatureExpr("func()")
	m.ctx.Doc(name + " " + doc)
	m.ctx.Attributes(attr.NOSPLIT | attr.NOFRAME)
	m.labels = 0
}

// goBy calls the routine for one of three numbers of bits, as R14 is below, equal to or above a number; 0 calls none.
func (m *Machine) goBy(does string, to int, below, equal, above int) {
	less, same := m.newLabel("less"), m.newLabel("same")
	m.i("CMPL", bytes.As32(), immediate(to))
	m.i("JLT", operand.LabelRef(less))
	m.i("JEQ", operand.LabelRef(same))
	for _, way := range []struct {
		label string
		bits  int
	}{{"", above}, {same, equal}, {less, below}} {
		if way.label != "" {
			m.ctx.Label(way.label)
		}
		if way.bits > 0 {
			m.callRoutine(does, way.bits)
		}
		m.i("RET")
	}
}

func (m *Machine) spreadTile() {
	m.i("MOVQ", inMemory, pointer)
	two, four := m.newLabel("two"), m.newLabel("four")
	m.i("CMPL", bytes.As32(), immediate(2))
	m.i("JEQ", operand.LabelRef(two))
	m.i("JGT", operand.LabelRef(four))
	for _, groups := range []int{1, 2, 4} {
		switch groups {
		case 2:
			m.ctx.Label(two)
		case 4:
			m.ctx.Label(four)
		}
		for slot := range 4 {
			if slot == 0 || slot*groups%4 == 0 {
				m.i("VBROADCASTSS", operand.Mem{Base: inMemory, Disp: slot * groups}, m.vec(0))
			}
			m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame, Disp: 4 * m.Width() * slot})
		}
		m.passed(plan.Spread)
	}
}

const fetching = "fetch"

// farFetch is the distance from which on lines are fetched into the second cache, and
// not into the first one alone. No hint is right for every maker's processors: package
// kernels asks which this is, and chooses the distance.
const farFetch = 8192

func (m *Machine) fetch(lines int) {
	near := m.newLabel("near")
	m.i("CMPQ", scratch2, immediate(farFetch))
	m.i("JLT", operand.LabelRef(near))
	for _, hint := range []string{"PREFETCHT1", "PREFETCHNTA"} {
		for line := range lines {
			m.i(hint, operand.Mem{Base: scratch, Disp: 64 * line})
		}
		m.i("RET")
		if hint == "PREFETCHT1" {
			m.ctx.Label(near)
		}
	}
}

func (m *Machine) stageIn(bits int) {
	m.i("MOVQ", inMemory, pointer)
	switch {
	case m.wide:
		m.masked(bits, func(name string, r reg.VecPhysical, disp int) {
			m.i(name+"_Z", operand.Mem{Base: inMemory, Disp: disp}, ks[7], r)
			m.i("VMOVUPS", r, operand.Mem{Base: inFrame, Disp: disp})
		})
	case bits == 32:
		m.zero(0)
		for disp := 32; disp < 128; disp += 32 {
			m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame, Disp: disp})
		}
		m.window(func(disp int) {
			m.i("VMASKMOVPS", operand.Mem{Base: inMemory, Disp: disp}, m.vec(1), m.vec(0))
			m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame, Disp: disp})
		})
	default:
		m.zero(0)
		for disp := 0; disp < max(16, 4*bits); disp += 32 {
			if bits < 8 {
				m.i("VMOVUPS", xs[0], operand.Mem{Base: inFrame, Disp: disp})
			} else {
				m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame, Disp: disp})
			}
		}
		m.copyBytes(bits, inMemory, inFrame)
	}
	if bits == 32 {
		m.passed(plan.Left)
	} else {
		m.i("RET")
	}
}

func (m *Machine) stageFilled(bits int) {
	fill := map[int]string{16: "VPBROADCASTW", 32: "VBROADCASTSS"}[bits]
	first := operand.Mem{Base: inMemory}
	m.i("MOVQ", inMemory, pointer)
	switch bits {
	case 32:
		m.i(fill, first, m.vec(0))
		for disp := 0; disp < 128; disp += 32 {
			m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame, Disp: disp})
		}
		m.window(func(disp int) { // there is no third register for a blend
			at := operand.Mem{Base: inFrame, Disp: disp}
			m.i("VMASKMOVPS", operand.Mem{Base: inMemory, Disp: disp}, m.vec(1), m.vec(0))
			m.i("VPANDN", at, m.vec(1), m.vec(1))
			m.i("VPOR", m.vec(1), m.vec(0), m.vec(0))
			m.i("VMOVUPS", m.vec(0), at)
		})
	default:
		m.i(fill, first, m.vec(0))
		m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame})
		m.i("VMOVUPS", m.vec(0), operand.Mem{Base: inFrame, Disp: 32})
		m.copyBytes(bits, inMemory, inFrame)
	}
	m.i("RET")
}

func (m *Machine) stageOut(bits int) {
	m.align()
	m.i("MOVQ", pointer, inMemory)
	if bits < 8 {
		m.clearBehind(bits)
	}
	if m.wide {
		m.masked(bits, func(name string, r reg.VecPhysical, disp int) {
			m.i("VMOVUPS", operand.Mem{Base: inFrame, Disp: disp}, r)
			m.i(name, r, ks[7], operand.Mem{Base: inMemory, Disp: disp})
		})
	} else {
		m.copyBytes(bits, inFrame, inMemory)
	}
	m.i("RET")
}

// bytesOf puts the number of bytes that the elements take into R14.
func (m *Machine) bytesOf(bits int) {
	switch {
	case bits < 8:
		m.i("LEAQ", operand.Mem{Base: count, Disp: 8/bits - 1}, bytes)
		m.i("SHRQ", operand.Imm(uint64(log2(8/bits))), bytes)
	case bits == 8:
		m.i("MOVQ", count, bytes)
	default:
		m.i("MOVQ", count, bytes)
		m.i("SHLQ", operand.Imm(uint64(log2(bits/8))), bytes)
	}
}

// masked visits the registers that a tile of elements takes: K7 has those of each that are there,
// and name is the instruction that moves these.
func (m *Machine) masked(bits int, each func(name string, r reg.VecPhysical, disp int)) {
	ones := m.constant(strings.Repeat("\xff", 8))
	if bits < 8 {
		r := reg.VecPhysical(xs[0])
		if bits == 4 {
			r = half(0)
		}
		m.bytesOf(bits)
		m.i("BZHIQ", bytes, ones, bytes)
		m.i("KMOVQ", bytes, ks[7])
		each("VMOVDQU8", r, 0)
		return
	}
	m.i("BZHIQ", count, ones, bytes)
	m.i("KMOVQ", bytes, ks[7])
	if bits > 8 {
		m.i("KMOVQ", bytes, ks[0])
	}
	for i := range bits / 8 {
		if i > 0 {
			m.i("KSHIFTRQ", operand.Imm(uint64(512/bits*i)), ks[0], ks[7])
		}
		each(fmt.Sprintf("VMOVDQU%d", bits), m.vec(i%2), 64*i)
	}
}

// window visits the registers that a tile of 32-bit elements takes with AVX2: those that are there have ones in the second register.
// What is behind them is not touched: a masked load of nothing takes a hundred nanoseconds where its page is not there yet.
func (m *Machine) window(each func(disp int)) {
	table := m.constant(strings.Repeat("\xff", 128) + strings.Repeat("\x00", 128))
	m.i("LEAQ", table.Offset(128), bytes)
	for range 4 { // bytes of an element
		m.i("SUBQ", count, bytes)
	}
	ended := m.newLabel("ended")
	for disp := 0; disp < 128; disp += 32 {
		if disp > 0 {
			m.i("CMPQ", count, immediate(disp/4))
			m.i("JLE", operand.LabelRef(ended))
		}
		m.i("VMOVUPS", operand.Mem{Base: bytes, Disp: disp}, m.vec(1))
		each(disp)
	}
	m.ctx.Label(ended)
}

// clearBehind clears the bits behind the last element in its byte.
func (m *Machine) clearBehind(bits int) {
	whole := m.newLabel("whole")
	all := func() {
		m.i("MOVQ", count, bytes)
		m.i("SHLQ", operand.Imm(uint64(log2(bits))), bytes)
	}
	all()
	m.i("TESTQ", operand.U32(7), bytes)
	m.i("JEQ", operand.LabelRef(whole))
	m.i("SHRQ", operand.Imm(3), bytes)
	m.i("ADDQ", bytes, inFrame)
	m.i("SHLQ", operand.Imm(3), bytes)
	m.i("NEGQ", bytes)
	m.i("LEAQ", operand.Mem{Base: bytes, Index: count, Scale: uint8(bits)}, bytes)
	m.i("BZHIL", bytes.As32(), operand.Mem{Base: inFrame}, bytes.As32())
	m.i("MOVB", bytes.As8(), operand.Mem{Base: inFrame})
	all()
	m.i("SHRQ", operand.Imm(3), bytes)
	m.i("SUBQ", bytes, inFrame)
	m.ctx.Label(whole)
}

// copyBytes copies the elements' bytes in the powers of two that their number consists of.
func (m *Machine) copyBytes(bits int, from, to reg.GPPhysical) {
	src, dst := operand.Mem{Base: from}, operand.Mem{Base: to}
	most, least := 2*bits, max(1, bits/8) // of 31 elements, and of one
	if bits < 8 {
		most *= 2 // the last byte is a part of one
	}
	m.bytesOf(bits)
	for size := most; size >= least; size /= 2 {
		next := m.newLabel("piece")
		m.i("TESTQ", operand.U32(uint32(size)), bytes)
		m.i("JEQ", operand.LabelRef(next))
		switch size {
		case 64, 32:
			for disp := 0; disp < size; disp += 32 {
				m.i("VMOVUPS", src.Offset(disp), m.vec(0))
				m.i("VMOVUPS", m.vec(0), dst.Offset(disp))
			}
		case 2, 1:
			name := map[int]string{2: "W", 1: "B"}[size]
			m.i("VPINSR"+name, operand.Imm(0), src, xs[0], xs[0])
			m.i("VPEXTR"+name, operand.Imm(0), xs[0], dst)
		default:
			name := map[int]string{16: "VMOVUPS", 8: "VMOVQ", 4: "VMOVD"}[size]
			m.i(name, src, xs[0])
			m.i(name, xs[0], dst)
		}
		if size > least {
			m.i("ADDQ", immediate(size), from)
			m.i("ADDQ", immediate(size), to)
		}
		m.ctx.Label(next)
	}
}
