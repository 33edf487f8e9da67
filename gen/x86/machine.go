// Package x86 lowers planned kernels to AVX2 (with FMA and F16C) and to
// AVX-512 (F, BW, DQ, VL, with BMI2), with VBMI or without. Package avo checks every instruction's
// operands, collects what a function requires of the CPU, and prints.
package x86

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/buildtags"
	avoir "github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Machine is one of the x86 targets, writing one file.
type Machine struct {
	wide      bool // AVX-512
	vbmi      bool // with VBMI, which looks bytes up in tables of 64 and 128
	ctx       *build.Context
	fn        reflect.Value
	constants Constants
	passages  plan.Passages
	frame     operand.Mem
	control   operand.Mem // MXCSR, in functions that round upward
	labels    int
	streams   bool
	tailN     plan.GPR
	tailSlot  int // the slot whose lanes K7 has; -1 if none
}

// AVX2 begins a file of AVX2 code, AVX512 one of AVX-512 code, and AVX512VBMI
// one of such code with VBMI.
func AVX2() *Machine       { return newMachine(false, false) }
func AVX512() *Machine     { return newMachine(true, false) }
func AVX512VBMI() *Machine { return newMachine(true, true) }

func newMachine(wide, vbmi bool) *Machine {
	m := &Machine{wide: wide, vbmi: vbmi, ctx: build.NewContext(), constants: Constants{}, passages: plan.Passages{}}
	m.ctx.Constraint(buildtags.Not("purego"))
	m.fn = reflect.ValueOf(m.ctx)
	return m
}

// File closes the file and returns its assembly and its Go declarations.
func (m *Machine) File(generator, pkg string) (asm, stubs []byte, err error) {
	f, err := m.ctx.Result()
	if err != nil {
		return nil, nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, nil, err
	}
	cfg := printer.Config{Name: generator, Pkg: pkg}
	if asm, err = printer.NewGoAsm(cfg).Print(f); err != nil {
		return nil, nil, err
	}
	stubs, err = printer.NewStubs(cfg).Print(f)
	return asm, stubs, err
}

// Name is the suffix of the functions' names.
func (m *Machine) Name() string {
	switch {
	case m.vbmi:
		return "AVX512VBMI"
	case m.wide:
		return "AVX512"
	}
	return "AVX2"
}

// Width is the number of float32 in a vector register.
func (m *Machine) Width() int {
	if m.wide {
		return 16
	}
	return 8
}

// Regs lists what may be allocated; K0 and K7 hold a tail's masks, and are left for short sequences.
func (m *Machine) Regs(c plan.Class) []int {
	switch {
	case c == plan.Mask && m.wide:
		return []int{1, 2, 3, 4, 5, 6}
	case c == plan.Mask:
		return nil
	case m.wide:
		return upTo(32)
	}
	return upTo(16)
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// MaskClass is K registers with AVX-512, whole lanes with AVX2.
func (m *Machine) MaskClass() plan.Class {
	if m.wide {
		return plan.Mask
	}
	return plan.Vec
}

// FoldWays hides the latency of VMINPS and VMAXPS.
func (m *Machine) FoldWays() int { return 4 }

// Shares are the numbers of groups of 16 or 32 elements in a tile.
func (m *Machine) Shares() []int {
	if m.wide {
		return []int{2, 4}
	}
	return []int{2}
}

// Ahead: AVX2 has few registers.
func (m *Machine) Ahead() int {
	if m.wide {
		return 32
	}
	return 2
}

// Layouts: a tile takes so few cycles that to go aside and back would be a fourth more.
func (m *Machine) Layouts() []int {
	return []int{ir.LayoutSigned, ir.LayoutUnsigned, ir.LayoutNibbles, ir.LayoutCrumbs}
}

// OneNaN: it takes two.
func (m *Machine) OneNaN() bool { return false }

// Watched: of two numbers the integer tells more than the float.
func (m *Machine) Watched(alarm *ir.Node) *ir.Node {
	if alarm.Op == ir.OpAlarmAbove {
		return alarm.Args[2]
	}
	return alarm.Args[0]
}

var gprs = []reg.GPPhysical{reg.RDI, reg.RSI, reg.RDX, reg.RBX, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R15}

// RAX and RCX are left for the hooks below, and R14 for routines.
var scratch, scratch2 = reg.RAX, reg.RCX

// GPRs are indices of general registers.
func (m *Machine) GPRs() []plan.GPR { return upTo(len(gprs)) }

// GPRName names a general register as the assembler does.
func (m *Machine) GPRName(r plan.GPR) string { return gprs[r].Asm() }

// RegName names a vector or mask register.
func (m *Machine) RegName(c plan.Class, r int) string {
	return m.reg(c, r).Asm()
}

func (m *Machine) reg(c plan.Class, r int) reg.Register {
	if c == plan.Mask {
		return ks[r]
	}
	return m.vec(r)
}

var (
	xs = []reg.VecPhysical{reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7, reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
		reg.X16, reg.X17, reg.X18, reg.X19, reg.X20, reg.X21, reg.X22, reg.X23, reg.X24, reg.X25, reg.X26, reg.X27, reg.X28, reg.X29, reg.X30, reg.X31}
	ks = []reg.OpmaskPhysical{reg.K0, reg.K1, reg.K2, reg.K3, reg.K4, reg.K5, reg.K6, reg.K7}
)

func (m *Machine) vec(i int) reg.VecPhysical {
	if m.wide {
		return xs[i].AsZ().(reg.VecPhysical)
	}
	return xs[i].AsY().(reg.VecPhysical)
}

func half(v int) reg.VecPhysical { return xs[v].AsY().(reg.VecPhysical) }

// i adds an instruction by its name in avo, Go's operand order.
func (m *Machine) i(name string, ops ...operand.Op) {
	if m.streams {
		last := ops[len(ops)-1]
		if _, store := last.(operand.Mem); store && name == "VMOVUPS" {
			name = "VMOVNTPS"
		}
		if r, ok := last.(reg.GPPhysical); ok && r.PhysicalIndex() == scratch2.PhysicalIndex() {
			panic("x86: " + name + " overwrites the distance of prefetches")
		}
	}
	f := m.fn.MethodByName(name)
	if !f.IsValid() {
		panic("x86: avo has no " + name)
	}
	args := make([]reflect.Value, len(ops))
	for i, o := range ops {
		args[i] = reflect.ValueOf(o)
	}
	f.Call(args)
	if _, err := m.ctx.Result(); err != nil {
		text := make([]string, len(ops))
		for i, o := range ops {
			text[i] = o.Asm()
		}
		panic(fmt.Sprintf("x86: %s %s: %v", name, strings.Join(text, ", "), err))
	}
}

// bitwise is a bitwise operation on whole registers, which AVX-512 knows with an
// element size only; without one it is shorter, for 256 bits in the first sixteen registers.
func (m *Machine) bitwise(name string, a operand.Op, b, d reg.VecPhysical) {
	high := func(o operand.Op) bool {
		r, ok := o.(reg.VecPhysical)
		return ok && (r.Size() == 64 || r.PhysicalIndex() >= 16)
	}
	if high(a) || high(b) || high(d) {
		name += "D"
	}
	m.i(name, a, b, d)
}

// immediate is a signed constant in the shortest form.
func immediate(v int) operand.Op {
	if v >= -128 && v < 128 {
		return operand.I8(int8(v))
	}
	return operand.I32(int32(v))
}

func (m *Machine) mem(a plan.Addr, disp int) operand.Mem {
	at := operand.Mem{Base: gprs[a.Reg], Disp: a.Disp + disp}
	if a.Stack {
		at = m.frame.Offset(a.Disp + disp)
	}
	if a.Scale > 0 {
		at.Index, at.Scale = gprs[a.Index], uint8(a.Scale)
	}
	return at
}

// Begin starts a function.
func (m *Machine) Begin(f *plan.Func) {
	var args []string
	for _, a := range f.Args {
		args = append(args, a.Name+" "+a.Type)
	}
	m.ctx.Function(f.Name)
	m.ctx.SignatureExpr("func(" + strings.Join(args, ", ") + ")")
	m.ctx.Doc(f.Doc...)
	m.ctx.Pragma("noescape")
	if f.Frame <= 256 {
		m.ctx.Attributes(attr.NOSPLIT)
	}
	if f.Frame > 0 {
		m.frame = m.ctx.AllocLocal(f.Frame)
	}
	m.labels = 0
	if f.Kernel.Upward {
		m.control = m.ctx.AllocLocal(8)
		if f.Kernel.HasRare() {
			m.i("MOVL", operand.U32(0), m.control)
		}
	}
}

// RoundUpward has what follows rounded upward. Where that may be so already MXCSR is in the frame then, and else 0.
func (m *Machine) RoundUpward(maybe bool) {
	m.unless("JNE", maybe, func() {
		m.i("STMXCSR", m.control)
		m.turn()
	})
}

// RoundNearest has it rounded to nearest again.
func (m *Machine) RoundNearest(maybe bool) { m.unless("JEQ", maybe, m.turn) }

// turn changes between the two.
func (m *Machine) turn() {
	m.i("XORL", operand.U32(1<<14), m.control)
	m.i("LDMXCSR", m.control)
}

// unless prints what is skipped, maybe, by a jump that depends on what is kept of MXCSR.
func (m *Machine) unless(jump string, maybe bool, print func()) {
	if !maybe {
		print()
		return
	}
	turned := m.newLabel("turned")
	m.i("CMPL", m.control, operand.I8(0))
	m.i(jump, operand.LabelRef(turned))
	print()
	m.ctx.Label(turned)
}

// Comment writes comment lines.
func (m *Machine) Comment(lines ...string) { m.ctx.Comment(lines...) }

// Arg loads an argument into a general register.
func (m *Machine) Arg(r plan.GPR, name string) { m.ctx.Load(m.ctx.Param(name), gprs[r]) }

// ArgWord loads an int32.
func (m *Machine) ArgWord(r plan.GPR, name string) { m.ctx.Load(m.ctx.Param(name), gprs[r].As32()) }

// Label places a label; what K7 has is not known there.
func (m *Machine) Label(l string) {
	m.ctx.Label(l)
	m.tailSlot = -1
}

// LoopHead places the label of an inner loop.
func (m *Machine) LoopHead(l string) { m.ctx.Label(l) }

// GroupHead places the label where groups begin one after the other, where tiles in which they meet begin, and where lanes' tiles do.
// AVX2's tiles are short, and a jump across 32 bytes costs some processors as much as an eighth of one: where the jumps of a group
// lie is not to depend on what is in front.
func (m *Machine) GroupHead(l string) {
	if !m.wide {
		m.ctx.Instruction(&avoir.Instruction{Opcode: "PCALIGN", Operands: []operand.Op{operand.Imm(32)}})
	}
	m.ctx.Label(l)
}

// Branch compares a general register with a constant and jumps.
func (m *Machine) Branch(r plan.GPR, c plan.Cond, imm int, l string) {
	switch {
	case imm != 0:
		m.i("CMPQ", gprs[r], immediate(imm))
	case !m.told(gprs[r]):
		m.i("TESTQ", gprs[r], gprs[r])
	}
	m.i([]string{plan.Less: "JLT", plan.GreaterEqual: "JGE", plan.Equal: "JEQ", plan.NotEqual: "JNE"}[c], operand.LabelRef(l))
}

// told reports whether the flags tell already how a general register compares with zero: what came before it was that comparison,
// or changed the register, and between are only jumps.
func (m *Machine) told(r reg.GPPhysical) bool {
	f, err := m.ctx.Result()
	if err != nil {
		panic(err)
	}
	functions := f.Functions()
	for _, node := range slices.Backward(functions[len(functions)-1].Nodes) {
		i, ok := node.(*avoir.Instruction)
		switch {
		case !ok:
			return false
		case i.IsBranch && i.IsConditional:
		default:
			return slices.Contains([]string{"TESTQ", "ADDQ", "SUBQ"}, i.Opcode) && i.Operands[1] == operand.Op(r)
		}
	}
	return false
}

// BranchMultiple jumps if a general register is a multiple of a power of two, or with NotEqual if it is none.
func (m *Machine) BranchMultiple(r plan.GPR, c plan.Cond, power int, l string) {
	m.i("TESTQ", operand.U32(uint32(power-1)), gprs[r])
	m.i(map[plan.Cond]string{plan.Equal: "JEQ", plan.NotEqual: "JNE"}[c], operand.LabelRef(l))
}

// BranchReach jumps if a >= b.
func (m *Machine) BranchReach(a, b plan.GPR, l string) {
	m.i("CMPQ", gprs[a], gprs[b])
	m.i("JGE", operand.LabelRef(l))
}

// BranchBelow jumps if a < b.
func (m *Machine) BranchBelow(a, b plan.GPR, l string) {
	m.i("CMPQ", gprs[a], gprs[b])
	m.i("JLT", operand.LabelRef(l))
}

// SubBranch is Sub, and jumps unless d is below zero.
func (m *Machine) SubBranch(d, s plan.GPR, l string) {
	m.Sub(d, s)
	m.i("JGE", operand.LabelRef(l))
}

// Jump goes to a label.
func (m *Machine) Jump(l string) { m.i("JMP", operand.LabelRef(l)) }

// Number sets a general register to a number, which is not negative.
func (m *Machine) Number(d plan.GPR, imm int) {
	if imm < 0 {
		m.i("MOVQ", operand.I32(imm), gprs[d])
	} else {
		m.i("MOVL", operand.U32(uint32(imm)), gprs[d].As32())
	}
}

// AtMost makes it that at most.
func (m *Machine) AtMost(r plan.GPR, imm int) {
	m.i("MOVL", operand.U32(uint32(imm)), scratch.As32())
	m.i("CMPQ", scratch, gprs[r])
	m.i("CMOVQLT", scratch, gprs[r])
}

// Move copies a general register.
func (m *Machine) Move(d, s plan.GPR) { m.i("MOVQ", gprs[s], gprs[d]) }

// Add, Sub and Mul change d by s.
func (m *Machine) Add(d, s plan.GPR) { m.i("ADDQ", gprs[s], gprs[d]) }
func (m *Machine) Sub(d, s plan.GPR) { m.i("SUBQ", gprs[s], gprs[d]) }
func (m *Machine) Mul(d, s plan.GPR) { m.i("IMULQ", gprs[s], gprs[d]) }

// AddImm adds a constant. To subtract -128 is three bytes shorter than to add 128.
func (m *Machine) AddImm(r plan.GPR, imm int) {
	if imm < 0 || imm == 128 {
		m.i("SUBQ", immediate(-imm), gprs[r])
	} else {
		m.i("ADDQ", immediate(imm), gprs[r])
	}
}

// AddBits adds n elements of so many bits.
func (m *Machine) AddBits(r, n plan.GPR, bits int) {
	if bits >= 8 {
		m.i("LEAQ", operand.Mem{Base: gprs[r], Index: gprs[n], Scale: uint8(bits / 8)}, gprs[r])
		return
	}
	m.i("MOVQ", gprs[n], scratch)
	m.i("SHRQ", operand.Imm(uint64(log2(8/bits))), scratch)
	m.i("ADDQ", scratch, gprs[r])
}

func log2(n int) int {
	l := 0
	for ; n > 1; n >>= 1 {
		l++
	}
	return l
}

// Ret leaves the function with the upper halves of the vector registers clean.
func (m *Machine) Ret() {
	m.i("VZEROUPPER")
	m.i("RET")
}

// Streams: there are such stores of 16, 32 and 64 bytes, at a multiple of their size.
func (m *Machine) Streams() bool { return true }

// Stream makes stores of whole registers pass the caches by.
func (m *Machine) Stream(on bool) { m.streams = on }

// BranchAbove jumps if an argument, now in scratch2, is greater than a number.
func (m *Machine) BranchAbove(arg string, imm int, l string) {
	m.ctx.Load(m.ctx.Param(arg), scratch2)
	m.i("CMPQ", scratch2, immediate(imm))
	m.i("JGT", operand.LabelRef(l))
}

// Prefetch fetches lines of what lies so many bytes behind p as the argument of
// BranchAbove says. Memory that is not there does no harm. AVX2's machines gain nothing by the non-temporal hint, and beside a
// tile of few bytes a call takes long.
func (m *Machine) Prefetch(p plan.GPR, bytes int) {
	if !m.wide {
		for off := 0; off < bytes; off += 64 {
			m.i("PREFETCHT1", operand.Mem{Base: gprs[p], Index: scratch2, Scale: 1, Disp: off})
		}
		return
	}
	m.i("LEAQ", operand.Mem{Base: gprs[p], Index: scratch2, Scale: 1}, scratch)
	m.callRoutine(fetching, max(64, bytes))
}

// Own fetches lines from a distance behind p on. A line that no other core has is this core's own then. Stores of 32 bytes
// do not wait for that: in the L1 cache they wait for the fetching.
func (m *Machine) Own(p plan.GPR, from, bytes int) {
	if !m.wide {
		return
	}
	for off := 0; off < bytes; off += 64 {
		m.i("PREFETCHT0", operand.Mem{Base: gprs[p], Disp: from + off})
	}
}

// BranchOdd jumps if an argument is odd.
func (m *Machine) BranchOdd(arg, l string) {
	p, err := m.ctx.Param(arg).Resolve()
	if err != nil {
		panic(err)
	}
	m.i("TESTQ", operand.U32(1), p.Addr)
	m.i("JNE", operand.LabelRef(l))
}

// Masks: loads and stores of a part of a register are of AVX-512.
func (m *Machine) Masks() bool { return m.wide }

// TailMasks puts one bit for each of n elements into K0.
func (m *Machine) TailMasks(n plan.GPR) {
	m.tailN, m.tailSlot = n, -1
	m.i("MOVQ", operand.I32(-1), scratch)
	m.i("BZHIQ", gprs[n], scratch, scratch)
	m.i("KMOVQ", scratch, ks[0])
}

// lanes is the mask of a tail's 32-bit lanes from a slot on; slot 0's is that of bytes too.
func (m *Machine) lanes(slot int) reg.OpmaskPhysical {
	switch {
	case slot == m.tailSlot:
	case slot == 0: // K0 cannot be a mask itself
		m.i("KMOVQ", ks[0], ks[7])
	default:
		m.i("KSHIFTRQ", operand.Imm(uint64(16*slot)), ks[0], ks[7])
	}
	m.tailSlot = slot
	return ks[7]
}

func (m *Machine) newLabel(kind string) string {
	m.labels++
	return fmt.Sprintf("%s%d", kind, m.labels)
}

// maskKind prints what is done for both kinds of mask, which leaves the flags alone, and for either; for none nothing is done.
func (m *Machine) maskKind(s *plan.Seg, word string, both func(), print func(bits int)) {
	bytes, done := m.newLabel("maskbytes"), m.newLabel("maskdone")
	m.compareBy(s, word, ir.MaskBytes)
	m.i("JLT", operand.LabelRef(done))
	both()
	m.i("JEQ", operand.LabelRef(bytes))
	print(1)
	m.i("JMP", operand.LabelRef(done))
	m.ctx.Label(bytes)
	print(8)
	m.ctx.Label(done)
	m.tailSlot = -1
}

// compareWord compares a word of the call with a number.
func (m *Machine) compareWord(word string, with int8) { m.i("CMPL", m.word(word), operand.I8(with)) }

// word is where the call has a word.
func (m *Machine) word(name string) operand.Mem {
	p, err := m.ctx.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// line are the registers through which 64 bytes pass, and where each finds its part.
func (m *Machine) line(line int, a plan.Addr, move func(r reg.VecPhysical, at operand.Mem)) {
	count := 16 / m.Width()
	for i := range count {
		move(m.vec(count*line+i), m.mem(a, 4*m.Width()*i))
	}
}

// LoadLine loads 64 bytes.
func (m *Machine) LoadLine(line int, from plan.Addr) {
	m.line(line, from, func(r reg.VecPhysical, at operand.Mem) { m.i("VMOVUPS", at, r) })
}

// StoreLine stores what LoadLine loaded, past the caches if that is asked for.
func (m *Machine) StoreLine(to plan.Addr, line int, past bool) {
	name := map[bool]string{false: "VMOVUPS", true: "VMOVNTPS"}[past]
	m.line(line, to, func(r reg.VecPhysical, at operand.Mem) { m.i(name, r, at) })
}

// Fence puts stores past the caches before all that follow.
func (m *Machine) Fence() { m.i("SFENCE") }
