package neon

import (
	"fmt"
	"strconv"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Routines move a part of a tile to the frame and back for all functions. R16 is
// the place in the frame, R17 that in memory, which they keep in front of the other or find there, and R0 the number
// of elements, at least one and less than a tile. They overwrite R16, R17, R19, R20, V0 and V31. Behind 32-bit numbers
// R16 is the place of the next array.

const inFrame, inMemory, count = r0, r1, asm.R(0)

// pointer is to where a tile in the frame belongs.
var pointer = asm.At(inFrame, -8)

func (m *Machine) call(a plan.Addr, p plan.GPR, does string, number ...int) {
	m.XFRAME(inFrame, a.Disp)
	m.XMOV(inMemory, asm.R(p))
	m.CALL(routine(does, number...))
}

// routine is the name of one, which says what it does, with a number if there are several.
func routine(does string, number ...int) string {
	for _, n := range number {
		does += strconv.Itoa(n)
	}
	return does + "NEON"
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
	m.XFRAME(inFrame, a.Disp)
	m.CALL(routine("stageOut", bits))
}

// StageOutBy copies such back.
func (m *Machine) StageOutBy(a plan.Addr, out *ir.Stream) {
	does := "stageOutCodes"
	if out.Mem == ir.MemMask {
		does = "stageOutMask"
	}
	m.PassWord(out)
	m.XFRAME(inFrame, a.Disp)
	m.CALL(routine(does))
}

// PassTo sets R16 to a place in the frame.
func (m *Machine) PassTo(a plan.Addr) { m.XFRAME(inFrame, a.Disp) }

// PassWord puts a stream's word into R19 for a routine that goes by it.
func (m *Machine) PassWord(s *ir.Stream) { m.XARG(asm.S, r2, s.Kind, m.offsets[s.Kind]) }

// Pass calls the routine of a pointer.
func (m *Machine) Pass(w plan.Way, p plan.GPR) {
	pass := plan.Passage{Way: w, Pointer: p}
	m.passages[pass] = true
	m.CALL(routine(m.passing(pass)))
}

func (m *Machine) passing(p plan.Passage) string { return string(p.Way) + m.GPRName(p.Pointer) }

// Passages are those that the functions call.
func (m *Machine) Passages() plan.Passages { return m.passages }

// passage is the routine of a pointer: it goes on with that of all pointers.
func (m *Machine) passage(p plan.Passage) {
	all := routine(string(p.Way))
	m.begin(m.passing(p), fmt.Sprintf("is %s for what %s points to, and sets that to the place in the frame.", all, m.GPRName(p.Pointer)))
	m.XMOV(inMemory, asm.R(p.Pointer))
	m.XMOV(asm.R(p.Pointer), inFrame)
	m.GOTO(all)
}

// SetGroups: a tile has one.
func (m *Machine) SetGroups(int) {}

// Keep stores a general register in the frame, KeepNumber a number.
func (m *Machine) Keep(a plan.Addr, r plan.GPR) { m.XSTR(asm.D, asm.Frame(a.Disp), asm.R(r)) }
func (m *Machine) KeepNumber(a plan.Addr, imm int) {
	m.XMOVI(r0, imm)
	m.XSTR(asm.D, asm.Frame(a.Disp), r0)
}

// Recall loads a general register from the frame.
func (m *Machine) Recall(r plan.GPR, a plan.Addr) { m.XLDR(asm.D, asm.R(r), asm.Frame(a.Disp)) }

// Point sets a general register to a place in the frame.
func (m *Machine) Point(r plan.GPR, a plan.Addr) { m.XFRAME(asm.R(r), a.Disp) }

// Divert has results go to the frame.
func (m *Machine) Divert(a plan.Addr, p plan.GPR) {
	m.Keep(plan.Addr{Stack: true, Disp: a.Disp - 8}, p)
	m.Point(p, a)
}

// Slack is none.
func (m *Machine) Slack() int { return 0 }

// BranchKept jumps if a number was kept.
func (m *Machine) BranchKept(a plan.Addr, imm int, l string) {
	m.XLDR(asm.D, r0, asm.Frame(a.Disp))
	m.XCMPI(r0, imm)
	m.BEQ(l)
}

// Masks: there are no masked loads or stores.
func (m *Machine) Masks() bool { return false }

// What belongs to these is for machines that have them.
func (m *Machine) TailMasks(plan.GPR)                        { panic("neon: no masks") }
func (m *Machine) PartMask(plan.GPR)                         { panic("neon: no masks") }
func (m *Machine) LoadPart(*plan.Seg, int, plan.Addr) plan.V { panic("neon: no masks") }

// Routines prints all of them, and those of pointers.
func (m *Machine) Routines(passages plan.Passages) {
	for _, bits := range []int{1, 2, 4, 8, 16, 32} {
		m.begin("stageIn", fmt.Sprintf("copies elements of %d bits to the frame, in front of zeros.", bits), bits)
		m.XSTR(asm.D, pointer, inMemory)
		m.MOVI(spare, 0)
		m.fill(bits)
		if bits == 32 {
			m.XADDI(r3, inFrame, plan.Left.Room(m))
		}
		m.copy(inFrame, inMemory, bits)
		if bits == 32 {
			m.XMOV(inFrame, r3)
		}
		m.RET()
		m.begin("stageOut", fmt.Sprintf("copies elements of %d bits back; bits behind the last are zero.", bits), bits)
		m.XLDR(asm.D, inMemory, pointer)
		if bits < 8 {
			m.clearBehind(bits)
		}
		m.copy(inMemory, inFrame, bits)
		m.RET()
	}
	for _, size := range []asm.Size{asm.H, asm.S} {
		bits := 8 << size
		m.begin("stageFilled", fmt.Sprintf("copies elements of %d bits to the frame, in front of copies of the first.", bits), bits)
		m.XSTR(asm.D, pointer, inMemory)
		m.LD1R(size, spare, inMemory)
		m.fill(bits)
		m.copy(inFrame, inMemory, bits)
		m.RET()
	}
	m.begin("stageInCodes", "copies codes to the frame, in front of zeros, in the layout that R19 says.")
	m.goBy("stageIn", ir.LayoutCrumbs, 4, 2, 8)
	m.begin("stageOutCodes", "copies such codes back.")
	m.goBy("stageOut", ir.LayoutCrumbs, 4, 2, 8)
	m.begin("stageOutMask", "copies a mask of the kind that R19 says back, if it is of any.")
	m.goBy("stageOut", ir.MaskBytes, 0, 8, 1)
	m.begin("spread", "puts a group's parameter in the frame, once for each element of a tile.")
	m.XSTR(asm.D, pointer, inMemory)
	m.LD1R(asm.S, spare, inMemory)
	m.fill(32)
	m.XADDI(inFrame, inFrame, plan.Spread.Room(m))
	m.RET()
	m.rowRoutines()
	m.begin("total", "adds up the accumulators in front of R0 to V0.")
	plan.PrintTotal(m)
	m.RET()
	for _, p := range passages.Sorted() {
		m.passage(p)
	}
}

// goBy goes on with the routine for one of three numbers of bits, as R19 is below, equal to or above a number; 0 is none.
func (m *Machine) goBy(does string, to, below, equal, above int) {
	less, same := m.newLabel("less"), m.newLabel("same")
	m.XCMPI(r2, to)
	m.BLT(less)
	m.BEQ(same)
	for _, way := range []struct {
		label string
		bits  int
	}{{"", above}, {same, equal}, {less, below}} {
		if way.label != "" {
			m.Label(way.label)
		}
		if way.bits > 0 {
			m.GOTO(routine(does, way.bits))
		} else {
			m.RET()
		}
	}
}

func (m *Machine) begin(does, doc string, number ...int) {
	name := routine(does, number...)
	fmt.Fprintf(&m.stubs, "\n// %s %s\nfunc %s()\n", name, doc, name)
	m.Blank()
	m.Printer.Comment(false, "func "+name+"()")
	m.Routine(name)
	m.labels = 0
}

// fill stores copies of a register all over a tile in the frame.
func (m *Machine) fill(bits int) {
	for off := 0; off < max(16, 16*bits/8); off += 16 {
		m.STR(asm.Q, asm.At(inFrame, off), spare)
	}
}

// clearBehind clears the bits behind the last element: all are in one word.
func (m *Machine) clearBehind(bits int) {
	word := asm.At(inFrame, 0)
	size := map[int]asm.Size{1: asm.H, 2: asm.S, 4: asm.D}[bits]
	m.XMOVI(r2, 0)
	m.scaled(r3, r2, count, 8*bits)
	m.XMOVI(r2, 1)
	m.XLSL(r3, r2, r3)
	m.XSUBI(r3, r3, 1)
	m.XLDR(size, r2, word)
	m.XAND(r2, r2, r3)
	m.XSTR(size, word, r2)
}

// copy moves the elements, in the powers of two that their number, or that of bytes, consists of.
func (m *Machine) copy(to, from asm.R, bits int) {
	n, bit := count, 3
	if bits < 8 {
		m.XADDI(r3, n, 8/bits-1)
		m.XMOVI(r2, 0)
		m.scaled(r3, r2, r3, bits)
		n, bit, bits = r3, map[int]int{1: 1, 2: 2, 4: 3}[bits], 8
	}
	for ; bit >= 0; bit-- {
		next := m.newLabel("piece")
		m.TBZ(n, bit, next)
		for size := bits << bit / 8; size > 0; size -= 16 {
			if size >= 16 {
				m.LD1P(spare, 1, from)
				m.ST1P(to, spare, 1)
				continue
			}
			s := map[int]asm.Size{1: asm.B, 2: asm.H, 4: asm.S, 8: asm.D}[size]
			m.XLDRP(s, r2, from)
			m.XSTRP(s, to, r2)
		}
		m.Label(next)
	}
}
