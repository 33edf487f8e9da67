package plan

import (
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A kernel over interleaved blocks is one loop: its body is straight-line code for a block, and the pointers to blocks
// and to elements advance by constants. There are no tails, and nothing that is not in a block is touched. Constants
// have registers throughout. Blocks that the formula is not right for do not end it: a number that is stored behind
// the loop, the check, is NaN if there were any, and then what was stored means nothing.
//
// A kernel whose lanes are groups is the same loop over rows. It has sums in registers, and stores them behind it. So is
// one that writes blocks, which needs neither: whether a block is out of the ordinary its parameters tell before.

// BlockMachine is a machine that has such kernels.
type BlockMachine interface {
	Machine
	// LowerBlock emits a part of a node, of as many as sixteen float32 have registers, or the only one; args are the
	// operands' registers. What is in memory is at: of a listed number, where the table is too. A BlockFinite has two
	// more operands, the check and zeros, a BlockSum one, the sum. What a BlockCopy is copied to is at table.
	LowerBlock(s *Seg, n *ir.BlockNode, part int, args []V, at, table Addr) V
	CountDown(r GPR, label string)         // takes one from a general register and jumps if something is left
	StoreCheck(p GPR, check int, two bool) // stores the first number of a register, or the sum of two
	BlockConstant(n *ir.BlockNode) string  // bytes of a register that a node has as its last operand, none if there are none
	BlockTables() int                      // how many numbers the tables have for which it has instructions: 32, 8 or none
	BlockFolds(n *ir.BlockNode) int        // the most operands, from the last one on, of which one may be at an address, so that args lacks it
	// FoldsConstant says whether a node's own instruction may take an operand, a constant, from memory: LowerFolded emits it, with args without that.
	FoldsConstant(n *ir.BlockNode, operand int) bool
	LowerFolded(s *Seg, n *ir.BlockNode, operand, part int, args []V) V
	BlockTurns() bool   // whether turns are to be a loop
	StoresPairs() bool  // whether one instruction stores two registers
	BlockSpreads() bool // whether the second factor of a product, and of one with a sum, may be a number in the frame likewise
}

// blockArgs are the arguments of such a kernel.
func blockArgs(k *ir.Kernel) []Arg {
	var a []Arg
	for _, s := range Streams(k) {
		a = append(a, Arg{s.Name, "*" + s.Mem.GoType()})
	}
	switch {
	case k.Search != nil:
		a = append(a, Arg{"params", "*float32"}, Arg{"tries", "*float32"}, Arg{"count", "int"}, Arg{"n", "int"}, Arg{"groups", "int"})
		if k.Search.Choice {
			a = append(a, Arg{"choice", "int"})
		}
		return a
	case k.Block.Groups > 0:
		a = append(a, Arg{"params", "*float32"}, Arg{"sums", "*float32"})
	case k.Block.Writes:
	case k.Block.Halves:
		a = append(a, Arg{"upper", "int"})
		if k.Block.Listed {
			a = append(a, Arg{"table", "*[256]float32"})
		}
		a = append(a, Arg{"check", "*float32"})
	case k.Block.Listed:
		a = append(a, Arg{"table", "*[256]float32"}, Arg{"check", "*float32"})
	default:
		a = append(a, Arg{"check", "*float32"})
	}
	return append(a, Arg{"n", "int"})
}

// blocks plans one of them.
type blocks struct {
	*planner
	m                 BlockMachine
	block             *ir.Block
	registers         int         // that a value of float32 takes
	turns             *blockTurns // if parts are in a loop
	call, body, after *Seg
	rounded           []V // the registers of routines that round
	check, zero       V
	roots             []*ir.BlockNode
	wanted            map[*ir.BlockNode]bool // what they are computed from
	uses              map[int]int            // of each node
	rare              map[int]bool           // constants that have no register
	abreast           bool                   // the registers of a row go side by side
	at                map[string]GPR         // the arguments
}

// OnceOf is what f emitted when it was first asked for this part of a node, which several registers share.
func (s *Seg) OnceOf(n *ir.BlockNode, part int, f func() V) V {
	key := [2]int{n.ID, ^part}
	v, ok := s.vals[key]
	if !ok {
		v = f()
		s.vals[key] = v
	}
	return v
}

// GenerateBlock prints a kernel over blocks or rows as one function of the machine.
func GenerateBlock(k *ir.Kernel, m BlockMachine) error {
	b := newBlocks(k, k.Block, m, 16/m.Width())
	args := Args(k)
	for i, a := range args {
		b.at[a.Name] = m.GPRs()[i]
	}
	places, err := b.allocate()
	if err != nil {
		return err
	}

	f := &Func{Kernel: k, Name: k.Name + m.Name(), Args: args, Frame: b.frame()}
	f.Doc = strings.Split(f.Name+" "+k.Doc, "\n")
	m.Begin(f)
	var names []string
	for _, a := range args {
		names = append(names, m.GPRName(b.at[a.Name])+" "+a.Name)
	}
	m.Comment(strings.Join(names, ", "))
	for _, a := range args {
		m.Arg(b.at[a.Name], a.Name)
	}
	b.call.print(places[b.call])
	m.LoopHead("loop")
	b.body.print(places[b.body])
	if b.turns != nil {
		b.turns.loop(b, places[b.turns.first])
	}
	for _, s := range Streams(k) {
		if step := k.Block.Step(s.Name); step != 0 {
			m.AddImm(b.at[s.Name], step)
		}
	}
	m.CountDown(b.at["n"], "loop")
	b.after.print(places[b.after])
	if b.checks() {
		m.StoreCheck(b.at["check"], places[b.body][b.check], b.paired())
	}
	m.Ret()
	return nil
}

func newBlocks(k *ir.Kernel, block *ir.Block, m BlockMachine, registers int) *blocks {
	b := &blocks{planner: &planner{k: k, m: m}, m: m, block: block, registers: registers, uses: map[int]int{}, rare: map[int]bool{}, at: map[string]GPR{}}
	b.roots = slices.DeleteFunc(slices.Clone(block.Nodes), func(n *ir.BlockNode) bool { return !n.Root() })
	b.wanted = map[*ir.BlockNode]bool{}
	checked := map[*ir.BlockNode]bool{}
	b.roots = slices.DeleteFunc(b.roots, func(n *ir.BlockNode) bool { // what is checked already
		if n.Op != ir.BlockFinite {
			return false
		}
		number := b.chosen(n.Args[0])
		again := checked[number]
		checked[number] = true
		return again
	})
	for _, n := range b.roots {
		b.want(n)
	}
	for n := range b.wanted {
		for _, a := range b.args(n) {
			b.uses[a.ID]++
		}
	}
	b.findTurns()
	return b
}

// frame is how much of it the machine needs.
func (b *blocks) frame() (bytes int) {
	for n := range b.wanted {
		if n.Op == ir.BlockStash {
			bytes = max(bytes, n.Off+64)
		}
	}
	return bytes
}

// want notes a node and what it is computed from.
func (b *blocks) want(n *ir.BlockNode) {
	if !b.wanted[n] {
		b.wanted[n] = true
		for _, a := range b.args(n) {
			b.want(a)
		}
	}
}

// args are the operands of a node that the machine needs.
func (b *blocks) args(n *ir.BlockNode) []*ir.BlockNode {
	if n.Op != ir.BlockTabled {
		return n.Args
	}
	return []*ir.BlockNode{b.chosen(n)}
}

// chosen is a node, or what the machine has instead.
func (b *blocks) chosen(n *ir.BlockNode) *ir.BlockNode {
	if n.Op != ir.BlockTabled {
		return n
	}
	switch b.m.BlockTables() {
	case 32:
		return n.Args[0]
	case 8:
		return n.Args[1]
	}
	return n.Args[2]
}

// paired tells whether there are checks of two numbers.
func (b *blocks) paired() bool {
	return slices.ContainsFunc(b.roots, func(n *ir.BlockNode) bool { return n.Op == ir.BlockFinite && b.chosen(n.Args[0]).Op == ir.BlockPair })
}

// allocate gives all values registers; what is used least is loaded where it is used, if there are too few.
func (b *blocks) allocate() (places map[*Seg]assignment, err error) {
	places = map[*Seg]assignment{}
	b.abreast = b.block.Groups > 0 && b.registers > 1
	if b.abreast && b.place(places) {
		return places, nil
	}
	b.abreast = false
	constants := slices.DeleteFunc(slices.Clone(b.block.Nodes), func(n *ir.BlockNode) bool { return !b.wanted[n] || !b.throughout(n) })
	slices.SortStableFunc(constants, func(n, o *ir.BlockNode) int { return b.uses[n.ID] - b.uses[o.ID] })
	for !b.place(places) {
		if len(constants) == 0 {
			return nil, b.fail("registers ran out")
		}
		b.rare[constants[0].ID] = true
		constants = constants[1:]
	}
	return places, nil
}

// throughout tells whether a node has a register all the time, if there are enough.
func (b *blocks) throughout(n *ir.BlockNode) bool {
	return constant(n) || n.Op == ir.BlockElement && b.block.Groups > 0
}

// place builds the segments and gives their values registers, if there are enough.
func (b *blocks) place(places map[*Seg]assignment) bool {
	b.build()
	pins := map[V]int{}
	through := liveOut(b.call, b.segments()[1:]...)
	if b.checks() && !slices.Contains(through, b.check) {
		through = append(through, b.check)
	}
	if !b.pin(through, pins) {
		return false
	}
	for _, s := range b.segments() {
		if b.turns != nil && s == b.turns.first && !b.pin(liveOut(b.body, s), pins) {
			return false
		}
		at, ok := b.scan(s, pins)
		if !ok {
			return false
		}
		b.verify(s, at, pins)
		places[s] = at
	}
	return true
}

// segments are those of a kernel, in order.
func (b *blocks) segments() []*Seg {
	if b.turns != nil {
		return []*Seg{b.call, b.body, b.turns.first, b.after}
	}
	return []*Seg{b.call, b.body, b.after}
}

// checks reports whether the kernel has a check.
func (b *blocks) checks() bool { return b.block.Groups == 0 && !b.block.Writes }

// build emits what the roots need.
func (b *blocks) build() {
	b.class = nil
	segment := func() *Seg { return &Seg{p: b.planner, vals: map[[2]int]V{}} }
	b.call, b.body, b.after = segment(), segment(), segment()
	if b.turns != nil {
		b.turns.first = segment()
	}
	b.rounded = nil
	for b.block.Halves && len(b.rounded) < roundedRegisters {
		b.rounded = append(b.rounded, b.call.Op(Vec, func(int, []int) {}))
	}
	if b.checks() {
		b.check, b.zero = b.m.Zero(b.call), b.m.Zero(b.call)
	}
	if b.block.Groups > 0 {
		b.row()
		return
	}
	for _, n := range b.roots {
		if n.Op == ir.BlockStore && b.m.StoresPairs() {
			b.storePairs(n)
		} else {
			b.demandAll(n)
		}
	}
}

// storePairs stores two parts at a time.
func (b *blocks) storePairs(n *ir.BlockNode) {
	for part := 0; part < b.parts(n); part += 2 {
		b.demand(n.Args[0], part)
		b.demand(n.Args[0], part+1)
		b.demand(n, part)
		b.demand(n, part+1)
	}
}

// row emits what a row needs. Its parts go side by side, so that none waits for itself, or where there are too few registers for that, one all the
// way before the next. What is carried is computed before any of it is set.
func (b *blocks) row() {
	parts := [][2]int{{0, b.registers}}
	if !b.abreast {
		parts = nil
		for part := range b.registers {
			parts = append(parts, [2]int{part, part + 1})
		}
	}
	for _, p := range parts {
		each := func(n *ir.BlockNode) {
			for part := p[0]; part < p[1]; part++ {
				b.demand(n, part)
			}
		}
		if b.abreast {
			for _, n := range b.block.Nodes {
				if b.wanted[n] && n.Op != ir.BlockCarried && n.Op != ir.BlockRow && n.Op != ir.BlockCarry && !constant(n) && n.Op != ir.BlockElement {
					each(n)
				}
			}
		}
		for _, n := range b.roots {
			if n.Op == ir.BlockCarried {
				each(n.Args[1])
			}
		}
		for _, n := range b.roots {
			if !b.abreast || n.Op == ir.BlockCarried {
				each(n)
			}
		}
	}
}

// parts is the number of registers that a node's value takes; a root has as many to do.
func (b *blocks) parts(n *ir.BlockNode) int {
	switch n.Op {
	case ir.BlockConst:
		if n.Type == ir.BlockFloats && b.block.Halves {
			return b.registers
		}
		return 1
	case ir.BlockFinite, ir.BlockPut, ir.BlockPutBytes, ir.BlockCopy, ir.BlockScaled, ir.BlockLookedUp:
		return 1
	}
	if n.Type == ir.BlockBytes || n.Type == ir.BlockTwos || n.Type == ir.BlockNumber {
		return 1
	}
	return b.registers
}

// needs are the registers of a node's operand that a part of the node needs.
func (b *blocks) needs(n *ir.BlockNode, part, operand int) (first, last int) {
	registers := b.registers // of 64 bytes, and of sixteen integers
	switch n.Op {
	case ir.BlockNarrow: // all of the operands whose bytes are in the part
		if operand*registers/4 != part {
			return 0, 0
		}
		return 0, registers
	case ir.BlockFourth:
		if operand == 1 { // the four numbers are in the first
			return 0, 1
		}
	case ir.BlockLookedUp:
		return 0, b.parts(n.Args[operand])
	case ir.BlockPut:
		return n.First * registers / 4, (n.First+n.Count-1)*registers/4 + 1
	}
	return part, part + 1
}

// constant tells whether a node is the same for all rows.
func constant(n *ir.BlockNode) bool {
	switch n.Op {
	case ir.BlockConst, ir.BlockEach, ir.BlockLane:
		return true
	}
	return false
}

// demand returns the register of a part of a node, emitting what is not there yet.
func (b *blocks) demand(n *ir.BlockNode, part int) V {
	if n.Op == ir.BlockTabled {
		return b.demand(b.chosen(n), part)
	}
	part = min(part, b.parts(n)-1)
	s, key := b.body, [2]int{n.ID, part}
	anew := false
	if n.Turn > 0 && b.turns != nil {
		s = b.turns.first
	}
	switch {
	case n.Op == ir.BlockCarry:
		s = b.call
	case b.throughout(n):
		if anew = b.rare[n.ID]; !anew {
			s = b.call
		}
	}
	if v, ok := s.vals[key]; ok && !anew {
		return v
	}
	folded := b.folded(n)
	from := -1
	if folded == nil {
		from = b.rareOperand(n)
	}
	args := b.operands(n, part, folded, from)
	if from >= 0 {
		v := b.m.LowerFolded(s, n, from, part, args)
		s.vals[key] = v
		return v
	}
	if bytes := b.m.BlockConstant(n); bytes != "" {
		args = append(args, b.demand(&ir.BlockNode{Op: ir.BlockConst, Type: ir.BlockCodes, Bytes: bytes, ID: -1 - int(n.Op)}, 0))
	}
	if n.Op == ir.BlockAs || n.Op == ir.BlockOrder && len(args) == 1 {
		return args[0]
	}
	var at, other Addr
	if folded != nil {
		at = b.foldedAt(folded, part)
	} else {
		at, other = b.places(n, part)
	}
	switch n.Op {
	case ir.BlockFinite:
		args = append(args, b.check, b.zero)
	case ir.BlockScaled:
		args = slices.Concat(b.rounded, args)
	case ir.BlockLookedUp:
		for i, v := range args {
			s.rename(v, b.rounded[i])
		}
		args = b.rounded
	case ir.BlockSum:
		args = append(args, b.m.Zero(b.call))
		to := Addr{Reg: b.at["sums"], Disp: n.Off + b.slot(part)}
		if b.k.Search != nil {
			to.Reg = b.at["params"]
		}
		b.storeAfter(args[len(args)-1], part, to)
	case ir.BlockCarried:
		b.storeAfter(args[0], part, Addr{Reg: b.at["params"], Disp: n.Off + b.slot(part)})
	}
	v := b.m.LowerBlock(s, n, part, args, at, other)
	s.vals[key] = v
	return v
}

// roundedRegisters is how many registers are for rounding: the last ones.
const roundedRegisters = 5

// rename makes what sets a register that nothing has used set another.
func (s *Seg) rename(v, to V) {
	for _, in := range s.insts {
		if slices.Contains(in.Uses, v) {
			panic("plan: what is rounded is used elsewhere")
		}
		if i := slices.Index(in.Defs, v); i >= 0 {
			in.Defs[i] = to
		}
	}
}

// rareOperand is which operand of a node is a constant that has no register and that its own instruction takes from memory, -1 if none is.
func (b *blocks) rareOperand(n *ir.BlockNode) int {
	from := slices.IndexFunc(n.Args, func(a *ir.BlockNode) bool { return a.Op == ir.BlockConst && b.rare[a.ID] })
	if from >= 0 && !b.m.FoldsConstant(n, from) {
		from = -1
	}
	return from
}

// operands are the registers of a node's operands that a part of it needs, but of the folded one and of the one from memory.
func (b *blocks) operands(n *ir.BlockNode, part int, folded *ir.BlockNode, from int) []V {
	operands := make([][]V, len(n.Args))
	for _, constants := range []bool{false, true} { // which are there last, so that few registers wait with them
		for i, a := range n.Args {
			if constant(a) != constants || a == folded || i == from {
				continue
			}
			if a.Op == ir.BlockStash { // in memory, all of it
				b.demandAll(a)
				continue
			}
			first, last := b.needs(n, part, i)
			for p := first; p < last; p++ {
				operands[i] = append(operands[i], b.demand(a, p))
			}
		}
	}
	return slices.Concat(operands...)
}

// demandAll emits all parts of a node.
func (b *blocks) demandAll(n *ir.BlockNode) {
	for part := range b.parts(n) {
		b.demand(n, part)
	}
}

// slot is where a part is, of what fills registers of float32.
func (b *blocks) slot(part int) int { return 4 * b.m.Width() * part }

// foldedAt is where a folded operand is.
func (b *blocks) foldedAt(n *ir.BlockNode, part int) Addr {
	if n.Op == ir.BlockPick {
		b.demandAll(n.Args[0])
		return b.from(n)
	}
	return Addr{Reg: b.at[n.Name], Disp: n.Off + b.slot(part)}
}

// places are where a part of a node is in memory, and where the table is or what it is copied to.
func (b *blocks) places(n *ir.BlockNode, part int) (at, other Addr) {
	at, other = b.from(n), Addr{Reg: b.at["table"]}
	switch slot := b.slot(part); n.Op {
	case ir.BlockCopy:
		other = Addr{Reg: b.at["blocks"], Disp: n.To}
	case ir.BlockStoreHalf:
		at.Disp += slot / 2
	case ir.BlockPutEights:
		at.Disp += slot / 2
		other = Addr{Reg: at.Reg, Disp: n.To + slot/2}
	case ir.BlockPutBits:
		at.Disp += n.To * part * b.m.Width() / 4
	case ir.BlockStore, ir.BlockRow, ir.BlockStash:
		at.Disp += slot
	case ir.BlockLane, ir.BlockCarry:
		at = Addr{Reg: b.at["params"], Disp: n.Off + slot}
	}
	return at, other
}

// storeAfter stores a register behind the loop.
func (b *blocks) storeAfter(v V, part int, at Addr) {
	b.m.LowerBlock(b.after, &ir.BlockNode{Op: ir.BlockStore}, part, []V{v}, at, Addr{})
}

// folded is the row that only one operand of a node is, or the number in the frame, and that is loaded by the node's own instruction.
func (b *blocks) folded(n *ir.BlockNode) *ir.BlockNode {
	if (n.Op == ir.BlockMul || n.Op == ir.BlockMulAdd) && n.Args[1].Op == ir.BlockPick && b.uses[n.Args[1].ID] == 1 && b.m.BlockSpreads() {
		return n.Args[1]
	}
	if len(n.Args) != 2 || n.Args[0] == n.Args[1] {
		return nil
	}
	for i := range b.m.BlockFolds(n) {
		if a := n.Args[1-i]; a.Op == ir.BlockRow && b.uses[a.ID] == 1 {
			return a
		}
	}
	return nil
}
