package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Generate prints one kernel as one function of the machine.
func Generate(k *ir.Kernel, m Machine) error {
	k.Prune()
	if m.OneNaN() {
		k.Unmasked()
		k.Always()
	}
	p := &planner{k: k, m: m, extras: map[int][]*ir.Node{}, demoted: map[int]bool{}, abreast: !storesWide(k), streams: Streams(k), registers: 4}
	if k.OfGroups {
		p.registers = 1
	}
	for i := 0; i < len(k.Nodes); i++ {
		if e := m.Extras(k.Nodes[i]); len(e) > 0 {
			p.extras[k.Nodes[i].ID] = e
		}
	}
	p.reach()
	for _, n := range p.candidates() { // what long groups alone need is not worth a register in all loops
		p.demoted[n.ID] = !p.needs[false].reached(n) && p.needs[true].reached(n)
	}
	if err := p.assignPointers(); err != nil {
		return err
	}
	pr, alloc, err := p.fit()
	if err != nil {
		return err
	}
	pp := &printer{planner: p, pr: pr, alloc: alloc}
	for _, print := range []func(){pp.function, pp.rarely} {
		print()
		for len(pp.aside) > 0 {
			more := pp.aside[0]
			pp.aside = pp.aside[1:]
			more()
		}
	}
	return nil
}

// fit makes the program, with concessions until it has registers enough.
func (p *planner) fit() (*program, allocation, error) {
	// What to do without where registers run out, the cheapest first.
	concessions := []func(){func() { p.abreast = false }}
	concessions = append(concessions, func() { p.needs[false].shared, p.needs[true].shared = nil, nil })
	short, long := func() { p.needs[false].carried = nil }, func() { p.needs[true].carried = nil }
	var demotions []func()
	for _, n := range p.candidates() {
		demotions = append(demotions, func() { p.demoted[n.ID] = true })
	}
	ahead := []func(){func() { short(); long() }}
	switch {
	case !p.k.Grouped(): // what is demoted is loaded in a single loop
		concessions = slices.Concat(concessions[:1], demotions, concessions[1:], ahead)
	case p.k.Far && p.looksAhead(true): // to look ahead in long groups is worth more than constants in registers
		concessions = slices.Concat(concessions, []func(){short}, demotions, []func(){long})
	default:
		concessions = slices.Concat(concessions, ahead, demotions)
	}
	ways := meetings(p.mixing() != nil)
	for {
		p.maxUsed = [classes]int{}
		p.meetFails, p.rareFails = false, false
		pr := p.build()
		pr.unload()
		if alloc, ok := p.allocate(pr); ok {
			return pr, alloc, nil
		}
		if p.meetFails && len(ways) > 0 {
			p.meeting, ways = ways[0], ways[1:]
			continue
		}
		if p.rareFails && !p.rareAlone {
			p.rareAlone = true
			continue
		}
		if len(concessions) == 0 {
			return nil, nil, p.fail("registers ran out")
		}
		concessions[0]()
		concessions = concessions[1:]
	}
}

// meeting is how registers are saved where groups meet.
type meeting struct {
	rareOwn  bool // what the rare way alone needs is in no register elsewhere
	slotwise bool // slots of mixed parameters begin one by one, and not two at a time
	frugal   bool // parameters, or the choice of them, are kept in no register
}

// meetings are those for which there may be registers where there are not enough for the usual one, the fastest first.
func meetings(mixes bool) []meeting {
	if !mixes {
		return []meeting{{frugal: true}}
	}
	return []meeting{{rareOwn: true}, {rareOwn: true, slotwise: true}, {frugal: true}, {frugal: true, slotwise: true}}
}

// storesWide reports whether a kernel stores float32: the stores of four registers
// are then better apart from each other.
func storesWide(k *ir.Kernel) bool {
	return slices.ContainsFunc(k.Nodes, func(n *ir.Node) bool { return n.Op == ir.OpStore && n.Mem == ir.MemF32 })
}

// counts are the general registers that hold numbers of elements. In a row,
// groups holds what the group at hand has left, index points to the numbers of
// the groups in a tile, and free is for what passes; routines find all four.
// In a tree, at walks along a group's registers to the last of them, last bytes
// behind its first element; place is where a round leaves what it has, and rounds how many are left.
// Where a tile is rare, left is how many of its elements are left, below zero; it is 0 behind them, as those that mix parameters want free.
type counts struct{ groups, length, n, free, index, at, last, place, rounds, left GPR }

func (p *planner) assignPointers() error {
	p.ptr, p.words = map[string]GPR{}, map[string]GPR{}
	regs := p.m.GPRs()
	next := 0
	take := func() GPR {
		next++
		if next > len(regs) {
			return -1
		}
		return regs[next-1]
	}
	c := counts{n: take()} // where routines find it
	p.n = c.n
	for _, a := range p.arrays() {
		p.ptr[a.Name] = take()
	}
	for _, r := range p.k.Results {
		p.ptr[r.Name] = take()
	}
	free := regs
	switch {
	case p.k.Folds():
		c.groups, c.length = take(), take()
		c.at, c.last, c.place, c.rounds = take(), take(), take(), take()
	case p.k.Grouped():
		next += 4
		if next <= len(regs) {
			row := regs[len(regs)-4:]
			free = slices.Concat(row, regs[:len(regs)-4])
			c.groups, c.length, c.free, c.index = row[0], row[1], row[2], row[3]
			c.left = c.free
		}
	case p.hasRare():
		next++
		c.left = regs[len(regs)-1]
		free = slices.Concat(regs[len(regs)-1:], regs)
	}
	if next > len(regs) {
		return p.fail("%d general registers wanted, there are %d", next, len(regs))
	}
	p.counts = c
	for _, n := range p.k.Nodes { // what is left is in front of a row's own
		if _, ok := p.words[n.Kind]; (n.Mem.HasLayout() || n.Mem == ir.MemMask || n.Kind == ir.ElemWord) && !ok && next < len(regs) {
			next++
			p.words[n.Kind] = free[next-1]
		}
	}
	return nil
}

type printer struct {
	*planner
	pr      *program
	alloc   allocation
	origins []*shape // those with tiles that may be rare
	few     bool     // a loop leaves few groups
}

func (p *printer) run(s *Seg) {
	s.print(p.alloc[s])
}

func (s *Seg) print(at assignment) {
	for _, i := range s.insts {
		d, u := make([]int, len(i.Defs)), make([]int, len(i.Uses))
		for j, v := range i.Defs {
			d[j] = at[v]
		}
		for j, v := range i.Uses {
			u[j] = at[v]
		}
		i.Emit(d, u)
	}
}

func (p *printer) function() {
	k, m := p.k, p.m
	f := &Func{Kernel: k, Name: k.Name + m.Name(), Args: Args(k), Frame: (p.pr.frame.size + 15) &^ 15}
	f.Doc = p.doc(f)
	m.Begin(f)
	if k.Upward && !p.hasRare() {
		m.RoundUpward(false)
	}
	m.Comment(p.registerMap()...)
	for _, a := range p.arrays() {
		m.Arg(p.ptr[a.Name], a.Name)
	}
	for _, r := range k.Results {
		m.Arg(p.ptr[r.Name], r.Name)
	}
	for _, w := range k.Words {
		if r, ok := p.words[w.Name]; ok {
			m.ArgWord(r, w.Name)
		}
	}
	p.run(p.pr.call)
	if k.Grouped() {
		m.Arg(p.counts.groups, "groups")
		if stops(k) {
			m.Recall(p.counts.groups, Addr{Reg: p.counts.groups})
		}
		if !k.Whole {
			m.Arg(p.counts.length, "length")
		}
	} else {
		m.Arg(p.counts.n, "n")
	}
	for _, l := range p.pr.entered {
		l.enter(p)
	}
	for _, l := range p.pr.loops {
		l.print(p)
	}
	if p.few {
		m.Label(toFew)
		m.Branch(p.counts.groups, NotEqual, 0, p.pr.groups.at(atEntry))
		p.ret()
	}
	if p.large() {
		m.Label(toReturn)
		m.BranchOdd("ahead", toFence)
		m.Ret()
		m.Label(toFence)
		m.Fence()
		m.Ret()
	}
}

func (l eachLoop) print(p *printer) {
	m, sh := p.m, l.shape
	m.Label(sh.at(atEntry))
	p.run(sh.group)
	m.Move(p.counts.n, p.counts.length)
	p.tiles(sh)
	p.run(sh.after)
	p.advanceParams(1)
	p.advanceResults(1)
	m.AddImm(p.counts.groups, -1)
	m.Branch(p.counts.groups, NotEqual, 0, sh.at(atEntry))
	p.ret()
}

// ret returns, after a fence if the caller wants one: that is in one place of a function.
func (p *printer) ret() {
	if p.large() {
		p.m.Jump(toReturn)
		return
	}
	if p.k.Upward {
		p.m.RoundNearest(p.hasRare())
	}
	p.m.Ret()
}

// large reports whether whole tiles are stored past the caches if the caller says so.
func (p *printer) large() bool { return p.k.Large && p.m.Streams() }

// loop prints a loop over whole tiles, of which count says how many are left. Where layouts have loops of their own, the first is in place
// and the others out of the way.
func (p *printer) loop(sh *shape, streams bool, count GPR, tile int, end string) {
	m := p.m
	if streams {
		p.streamed(sh, nil, count, tile, end)
	}
	if sh.ahead != nil {
		sh.ahead.print(p, sh, count, tile, end)
	}
	if sh.look != nil {
		sh.look.print(p, sh, count, tile, end)
	}
	if len(sh.apart) > 0 {
		p.apart(sh, func(s *Seg, head string) {
			m.LoopHead(head)
			p.round(sh, s, count, tile, head, end, func() { p.own(streams); p.run(s) })
			if s != sh.apart[0] {
				m.Jump(end)
			}
		})
		return
	}
	head := m.LoopHead
	if sh.lanes && sh.ahead == nil {
		head = m.GroupHead
	}
	p.begins(sh.body, head, sh.at(atLoop))
	p.round(sh, sh.body, count, tile, sh.at(atLoop), end, func() { p.own(streams); p.tile(sh) })
}

// round prints a turn of a loop, whose tile is s, and the branch back.
func (p *printer) round(sh *shape, s *Seg, count GPR, tile int, head, end string, body func()) {
	if sh.blocks {
		p.run(sh.group)
	}
	body()
	if sh.blocks {
		p.advanceParams(sh.share)
	}
	p.advanceStreams(sh.lanes)
	p.m.AddImm(count, -tile)
	p.again(s, count, tile, head, end)
}

// begins prints the label of a loop whose tile is s, by a function that may align it.
func (p *printer) begins(s *Seg, head func(string), l string) {
	if s.turns { // to other places
		head = p.m.Label
	}
	head(l)
}

// again goes on while count is at least so many.
func (p *printer) again(s *Seg, count GPR, least int, head, end string) {
	if !s.turns {
		p.m.Branch(count, GreaterEqual, least, head)
		return
	}
	p.m.Branch(count, Less, least, end)
	s.turn()
}

// streamed prints a loop once more, out of the way, with stores past the caches; where an alarm leaves that, the ordinary loop goes on.
// What comes first may be only for that.
func (p *printer) streamed(sh *shape, first *Seg, count GPR, tile int, end string) {
	m, head := p.m, sh.at(atStream)
	m.BranchAbove("ahead", 1, head)
	p.aside = append(p.aside, func() {
		if first != nil {
			m.Label(head)
			p.run(first)
			head += string(atLoop)
		}
		m.LoopHead(head)
		for _, s := range p.streams {
			if s.In {
				m.Prefetch(p.ptr[s.Name], 4*m.Width()*s.Mem.Bits()/8)
			}
		}
		m.Stream(true)
		p.round(sh, sh.body, count, tile, head, end, func() { p.run(sh.body) })
		m.Stream(false)
		m.Jump(end)
	})
}

// apart asks for the layout and prints a loop for each: the first in place, the others out of the way.
func (p *printer) apart(sh *shape, print func(s *Seg, head string)) {
	m, first, last := p.m, sh.apart[0], len(sh.apart)-1
	head := func(s *Seg) string { return sh.at(atLayout) + strconv.Itoa(s.layout) }
	m.Label(sh.at(atLoop))
	word, ok := p.layoutWord()
	if !ok {
		print(first, head(first))
		return
	}
	m.Branch(word, NotEqual, first.layout, sh.at(atLayout))
	print(first, head(first))
	p.aside = append(p.aside, func() {
		m.Label(sh.at(atLayout))
		for _, s := range sh.apart[1:last] {
			m.Branch(word, Equal, s.layout, head(s))
		}
		for i := last; i > 0; i-- { // the last follows
			print(sh.apart[i], head(sh.apart[i]))
		}
	})
}

// own fetches the lines that a tile writes, before it does anything else. Stores ask for their lines one after the
// other; where a kernel writes more than it reads and the lines are in no cache of the core's, that is what it waits for.
// Where a branch goes by what is read, it fetches that too, some tiles ahead: what waits for it is started in vain, and once more.
func (p *printer) own(streams bool) {
	written, read := 0, 0
	for _, s := range p.streams {
		if s.Out {
			written += s.Mem.Bits()
		} else {
			read += s.Mem.Bits()
		}
	}
	if !streams || written <= read {
		return
	}
	branches := slices.ContainsFunc(p.k.Nodes, func(n *ir.Node) bool { return n.Op == ir.OpAlarmCode })
	for _, s := range p.streams {
		bytes := 4 * p.m.Width() * s.Mem.Bits() / 8
		switch {
		case s.Out:
			p.m.Own(p.ptr[s.Name], 0, bytes)
		case branches:
			p.m.Own(p.ptr[s.Name], 512, bytes)
		}
	}
}

func (l shortLoop) print(p *printer) {
	m, sh := p.m, l.shape
	m.Label(sh.name)
	m.Branch(p.counts.groups, Less, sh.share, toFew)
	p.loop(sh, p.large(), p.counts.groups, sh.share, toFew)
	m.Jump(toFew)
	p.few = true
}

// tiles is the loop over n elements, and its tail.
func (p *printer) tiles(sh *shape) {
	m, tile := p.m, p.tileSize()
	m.Branch(p.counts.n, Less, tile, sh.rest())
	p.loop(sh, p.large() && !(sh.lanes && p.k.Grouped()), p.counts.n, tile, sh.at(atTail))
	p.tail(sh)
}

// print prints the loop that looks ahead. What it has not done is for the plain one.
func (a *lookAhead) print(p *printer, sh *shape, count GPR, tile int, end string) {
	m := p.m
	if a.next != nil {
		m.Branch(count, GreaterEqual, fewTiles*tile, sh.at(atFirst))
		m.Branch(p.counts.n, Less, fewTiles*tile, sh.at(atLoop)) // a small call ends here
		m.BranchMultiple(count, NotEqual, tile, sh.at(atLoop))
		m.Label(sh.at(atFirst))
		p.run(a.first)
		m.Branch(count, Less, 2*tile, sh.at(atEnds))
	} else {
		m.Branch(count, Less, fewTiles*tile, sh.at(atLoop))
		p.run(a.first)
	}
	m.LoopHead(sh.at(atAhead))
	p.run(a.both)
	if sh.share > 1 {
		p.advanceParams(sh.share)
	}
	p.advanceStreams(false)
	m.AddImm(count, -tile)
	m.Branch(count, GreaterEqual, 2*tile, sh.at(atAhead))
	if a.next != nil {
		a.next.print(p, sh, count, tile, end)
	}
}

// print has the tile that ends a group begin the next group's first one: n is
// what is left behind the group at hand.
func (g *nextGroup) print(p *printer, sh *shape, count GPR, tile int, end string) {
	m, n := p.m, p.counts.n
	p.aside = append(p.aside, func() {
		m.Label(sh.at(atLast))
		p.run(g.last)
		p.advanceStreams(false)
		m.AddImm(count, -tile)
		m.Jump(end)
	})
	m.Label(sh.at(atEnds))
	m.Branch(count, NotEqual, tile, sh.at(atLast))
	m.Branch(n, Equal, 0, sh.at(atLast))
	m.LoopHead(sh.at(atTurn))
	p.run(g.turn)
	p.advanceParams(1)
	p.advanceStreams(false)
	m.Move(count, p.counts.length)
	m.Sub(n, count)
	m.Branch(count, NotEqual, tile, sh.at(atTurned))
	m.Branch(n, NotEqual, 0, sh.at(atTurn))
	m.Label(sh.at(atTurned))
	p.run(sh.group)
	m.Branch(count, GreaterEqual, 2*tile, sh.at(atAhead))
}

// fewTiles are so few that to look ahead does not pay, and of manyTiles it does
// pay to compute more per group.
const fewTiles, manyTiles = 4, 8

func (p *planner) advanceResults(groups int) {
	for _, r := range p.k.Results {
		p.m.AddImm(p.ptr[r.Name], groups*r.Mem.Bits()/8)
	}
}

func (p *planner) advanceParams(groups int) {
	for _, q := range p.k.Params {
		p.m.AddImm(p.ptr[q.Name], 4*groups)
	}
}

func (p *printer) advanceStreams(lanes bool) {
	tile := p.tileSize()
	for _, s := range p.streams {
		if !s.Mem.ByWord() { // else its load or store advances it
			p.m.AddImm(p.ptr[s.Name], tile*s.Mem.Bits()/8)
		}
	}
	if lanes {
		p.advanceParams(tile)
	}
}

func (p *printer) doc(f *Func) []string {
	out := append([]string{f.Name + " " + p.k.Doc[:strings.IndexAny(p.k.Doc+"\n", "\n")]}, strings.Split(p.k.Doc, "\n")[1:]...)
	if p.k.Grouped() && p.k.Whole {
		groups := "groups >= 1 adjacent groups"
		if share := p.blocksInTile(); share > 1 {
			groups = fmt.Sprintf("a multiple of %d adjacent groups", share)
		}
		out = append(out, fmt.Sprintf("It runs over %s of %d contiguous elements; parameters are one per group.", groups, usualBlock))
		if stops(p.k) {
			out = append(out, "It sets groups to how many are left.")
		}
	} else if p.k.Grouped() {
		out = append(out, "It runs over groups >= 1 adjacent groups of length >= 1 contiguous elements;", "parameters and results are one per group.")
	} else if p.k.Whole {
		out = append(out, fmt.Sprintf("It runs over n >= 1 elements, a multiple of %d.", 4*p.m.Width()))
	} else {
		out = append(out, "It runs over n >= 1 elements.")
	}
	if p.large() {
		out = append(out, "If ahead is greater than 1 whole tiles are stored past the caches, each at a multiple of its size or of 64 bytes,", "and input is fetched so many bytes ahead; if it is odd, all such stores are done in the end.")
	}
	return out
}

// registerMap is the header comment of a function.
func (p *printer) registerMap() []string {
	var ptrs []string
	for _, a := range p.arrays() {
		ptrs = append(ptrs, fmt.Sprintf("%s %s", p.m.GPRName(p.ptr[a.Name]), a.Name))
	}
	for _, r := range p.k.Results {
		ptrs = append(ptrs, fmt.Sprintf("%s %s", p.m.GPRName(p.ptr[r.Name]), r.Name))
	}
	ptrs = append(ptrs, p.m.GPRName(p.counts.n)+" elements left")
	if p.k.Grouped() {
		ptrs = append(ptrs, p.m.GPRName(p.counts.groups)+" groups left", p.m.GPRName(p.counts.length)+" length")
	}
	out := []string{"pointers: " + strings.Join(ptrs, ", ")}
	out = append(out, p.kept("per call: ", p.pr.call))
	if p.pr.groups != nil {
		out = append(out, p.kept("per group: ", p.pr.groups.group))
	}
	var loaded []string
	for _, n := range p.k.Nodes {
		if p.demoted[n.ID] {
			loaded = append(loaded, describe(n))
		}
	}
	if len(loaded) > 0 {
		out = append(out, "loaded at each use: "+strings.Join(loaded, ", "))
	}
	out = append(out, fmt.Sprintf("vector registers in use at once: %d", p.maxUsed[Vec]))
	return out
}

func (p *printer) kept(title string, s *Seg) string {
	var parts []string
	at := p.alloc[s]
	for _, n := range p.k.Nodes {
		for slot := range 4 {
			if v, ok := s.vals[[2]int{n.ID, slot}]; ok {
				parts = append(parts, fmt.Sprintf("%s %s", p.m.RegName(p.class[v], at[v]), describe(n)))
			}
		}
	}
	if len(parts) == 0 {
		return title + "nothing"
	}
	return title + strings.Join(parts, ", ")
}

func describe(n *ir.Node) string {
	switch n.Op {
	case ir.OpConst:
		return fmt.Sprintf("%#x", n.Bits)
	case ir.OpTable:
		return "table"
	case ir.OpParam, ir.OpWord:
		return n.Name
	}
	return n.Op.String()
}
