package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// shape is what loops have in common, with its segments.
type shape struct {
	name   string
	share  int
	lanes  bool
	blocks bool // its tiles are whole groups
	group  *Seg
	body   *Seg
	apart  []*Seg     // the same for each layout of codes that has a loop of its own; the body is where others have none
	masked bool       // masks do what is left of a tile, which otherwise is staged
	tail   *Seg       // that tile by masks, empty if there are none; an alarm has it staged
	look   *lookUp    // where tables are for some groups
	ahead  *lookAhead // where that pays
	after  *Seg       // behind a group; a tree's is empty
}

// lookAhead are the segments of a loop that begins a tile before the one in front is done.
type lookAhead struct {
	first *Seg       // the first half of a tile, up to what an alarm looks at
	both  *Seg       // the first half of the next tile and the second half of this one
	next  *nextGroup // where a group's last tile begins another group's first one
}

// nextGroup is how a group ends.
type nextGroup struct {
	turn *Seg // as both, with the next group's first tile
	last *Seg // the second half alone
}

func (a *lookAhead) segments() []*Seg {
	if a.next == nil {
		return []*Seg{a.first, a.both}
	}
	return []*Seg{a.first, a.both, a.next.turn, a.next.last}
}

// program is a function before printing.
type program struct {
	call    *Seg
	loops   []loop // in the order in which they are printed
	entered []loop // in the order in which it is asked whether they are meant
	groups  *shape // of the loop for all groups that others are not for; nil in flat kernels
	row     *row   // if that is a row
	rare    *rareWay
	frame
}

func (p *planner) build() *program {
	p.class = nil
	pr := &program{call: p.seg(nil, false, 1), rare: &rareWay{turn: p.seg(nil, false, 1), rest: p.seg(nil, false, 1)}}
	// Every shape must find all constants, so the call's roots are those of all kinds of loop.
	for _, n := range p.constants() {
		pr.call.demand(n, 0)
	}
	pr.frame = p.layout()
	p.stage = pr.stage
	p.loops(pr)
	if p.hasRare() {
		p.rareWay(pr)
	}
	return pr
}

// loops makes those of a program.
func (p *planner) loops(pr *program) {
	switch {
	case p.k.Whole && p.k.Grouped():
		sh := p.shape(pr, p.blocksInTile(), false, false)
		sh.blocks = true
		pr.loops = []loop{blockLoop{sh}}
		return
	case p.k.Whole:
		pr.loops = []loop{wholeLoop{p.shape(pr, 1, false, true)}}
		return
	case !p.k.Grouped():
		pr.loops = []loop{flatLoop{p.shape(pr, 1, false, true)}}
		return
	}
	pr.groups = p.shape(pr, 1, false, false)
	pr.loops = []loop{eachLoop{pr.groups}}
	var long, short, trees, lanes []loop
	if slices.ContainsFunc(p.k.Nodes, func(n *ir.Node) bool { return n.Op == ir.OpElse }) {
		long = []loop{longLoop{eachLoop{p.shape(pr, 1, false, true)}}}
	}
	if p.k.Folds() {
		for _, t := range p.treeKinds() {
			trees = append(trees, treeLoop{p.tree(pr, t), t})
		}
	} else {
		lane := p.shape(pr, 4, true, false)
		pr.row = p.row(pr, lane)
		pr.loops, lanes = []loop{rowLoop{pr.groups, pr.row}}, []loop{laneLoop{lane, pr.row}}
		for _, share := range p.m.Shares() {
			short = append(short, shortLoop{p.shape(pr, share, false, false)})
		}
	}
	pr.loops = slices.Concat(pr.loops, long, trees, short, lanes)
	pr.entered = slices.Concat(lanes, short, trees, long)
}

// arrays are the streams, and the parameters as such: they are where each element is a group.
func (p *planner) arrays() []*ir.Stream { return append(slices.Clone(p.streams), p.params()...) }

// params are the parameters as streams.
func (p *planner) params() []*ir.Stream {
	var out []*ir.Stream
	for _, q := range p.k.Params {
		out = append(out, &ir.Stream{Name: q.Name, Mem: q.Mem, In: true})
	}
	return out
}

// blocksInTile is how many groups of the usual length a tile has.
func (p *planner) blocksInTile() int { return 4 * p.m.Width() / usualBlock }

func (p *planner) shape(pr *program, share int, lanes, long bool) *shape {
	sh := &shape{share: share, lanes: lanes, blocks: share > 1 && !lanes, name: "group"}
	switch {
	case lanes || !p.k.Grouped():
		sh.name = "lane"
	case share > 1:
		sh.name = fmt.Sprintf("short%d", share)
	case long:
		sh.name = "long"
	}
	sh.group = p.seg(pr.call, lanes, share)
	sh.group.long = long
	accs := map[*ir.Node][]V{}
	if !lanes {
		for _, n := range p.roots(ir.PerGroup, false, long) {
			if share > 1 && n.Op == ir.OpParam && !p.looksAhead(long) {
				continue // loaded where it is wanted first
			}
			for c := range min(share, n.Slots()) {
				sh.group.demand(n, c*n.Slots()/min(share, n.Slots()))
			}
		}
		for _, n := range p.k.Nodes {
			if n.Op.Fold() {
				accs[n] = p.m.FoldInit(sh.group, n)
			}
		}
	}
	direct := p.direct()
	tile := func(name, alarm string, at map[string]Addr) *Seg {
		s := p.seg(sh.group, lanes, share)
		s.name, s.at, s.alarm = name, at, alarm
		return s
	}
	sh.body = tile(sh.name, sh.at(atRare), direct)
	sh.body.body(accs)
	for _, layout := range p.layouts(lanes) {
		s := tile(sh.name, sh.at(atRare), direct)
		s.layout = layout
		s.body(accs)
		sh.apart = append(sh.apart, s)
	}
	p.listed(sh, func() *Seg { return tile(sh.name, sh.at(atRare), direct) })
	sh.tail = p.seg(sh.group, lanes, share)
	sh.masked = p.m.Masks() && share == 1 && !p.k.Whole
	if sh.masked {
		at := maps.Clone(direct)
		for _, a := range p.streams {
			if a.Mem == ir.MemBits || a.Mem == ir.MemMask {
				at[a.Name] = pr.stage[a.Name]
			}
		}
		sh.tail = tile(sh.at(atTail), sh.at(atStage), at)
		sh.tail.Tail = true
		sh.tail.body(accs)
	}
	if !lanes && p.looksAhead(long) {
		sh.ahead = p.lookAhead(pr, sh, direct)
	}
	sh.after = p.seg(sh.group, lanes, share)
	for _, n := range p.k.Nodes {
		if n.Op.Fold() {
			sh.after.folded(n, p.m.FoldFinish(sh.after, n, accs[n]))
		}
	}
	for _, r := range p.k.Results {
		v := sh.after.scalar(r.Args[0])
		p.m.Lower(sh.after, r, 0, [][]V{{v}}, sh.after.place(r, 0))
	}
	return sh
}

// looksAhead reports whether the machine has registers for a loop that looks ahead.
func (p *planner) looksAhead(long bool) bool {
	carried := 0
	for _, n := range p.needs[long].carried {
		carried += n.Slots()
	}
	return 0 < carried && carried <= p.m.Ahead()
}

// layouts are those that have loops of their own.
func (p *planner) layouts(lanes bool) []int {
	if _, ok := p.layoutWord(); ok && !lanes {
		return p.m.Layouts()
	}
	return nil
}

// layoutWord is the register that has the layout of codes that are read.
func (p *planner) layoutWord() (GPR, bool) {
	for _, s := range p.streams {
		if s.In && s.Mem.HasLayout() {
			r, ok := p.words[s.Kind]
			return r, ok
		}
	}
	return 0, false
}

// direct is where arrays are.
func (p *planner) direct() map[string]Addr {
	at := map[string]Addr{}
	for _, a := range p.arrays() {
		at[a.Name] = Addr{Reg: p.ptr[a.Name]}
	}
	return at
}

// unload drops the loads that are in no register's use.
func (pr *program) unload() {
	all := []*Seg{pr.rare.turn, pr.rare.rest}
	for _, l := range pr.loops {
		all = append(append(all, l.core().segments()...), l.core().group)
	}
	if pr.row != nil {
		all = append(all, pr.row.meet)
	}
	used := map[V]bool{}
	for _, s := range all {
		for _, i := range s.insts {
			for _, v := range i.Uses {
				used[v] = true
			}
		}
	}
	for _, s := range all {
		s.insts = slices.DeleteFunc(s.insts, func(i Inst) bool {
			if len(i.Defs) != 1 || used[i.Defs[0]] {
				return false
			}
			_, param := s.params[i.Defs[0]]
			_, operand := s.once[i.Defs[0]]
			return param || operand
		})
	}
}

// lookAhead makes a loop that begins a tile before the one in front is done, as
// few machines look far enough ahead to do so by themselves. The first half of a
// tile's work is what an alarm looks at. An alarm leaves the loop for the plain
// one, where nothing of this tile is done yet.
func (p *planner) lookAhead(pr *program, sh *shape, direct map[string]Addr) *lookAhead {
	type value struct {
		n    *ir.Node
		slot int
	}
	short := sh.share > 1
	needs := p.needs[sh.group.long]
	var carried []value
	for slot := range 4 {
		for _, n := range needs.carried {
			if slot < n.Slots() {
				carried = append(carried, value{n, slot})
			}
		}
	}
	if short {
		for _, n := range needs.shared {
			for c := range sh.share {
				carried = append(carried, value{n, c * n.Slots() / sh.share})
			}
		}
	}
	half := func(up *Seg, at map[string]Addr, next int) *Seg {
		s := p.seg(up, false, sh.share)
		s.at, s.next, s.inplace = at, next, up == pr.call
		return s
	}
	first := func(up *Seg, at map[string]Addr, next int) (*Seg, []V) {
		s := half(up, at, next)
		var vs []V
		for _, v := range carried {
			vs = append(vs, s.demand(v.n, v.slot))
		}
		return s, vs
	}
	beyond := map[string]Addr{}
	for _, s := range p.streams {
		a := direct[s.Name]
		a.Disp += 4 * p.m.Width() * s.Mem.Bits() / 8
		beyond[s.Name] = a
	}
	var here []V
	second := func(name, alarm mark, up *Seg) *Seg {
		s := half(up, direct, 0)
		s.name, s.second, s.alarm = sh.at(name), true, sh.at(alarm)
		for i, v := range carried {
			slot := v.slot
			if v.n.Op == ir.OpParam {
				slot = slot * sh.share / v.n.Slots()
			}
			s.vals[[2]int{v.n.ID, slot}] = here[i]
		}
		return s
	}
	both := func(name, alarm mark, up *Seg, groups int) *Seg {
		s := second(name, alarm, up)
		next, there := first(up, beyond, groups)
		s.insts, s.params = next.insts, next.params
		s.body(nil)
		for i, v := range here {
			s.Add(p.m.Copy(v, there[i]))
		}
		return s
	}
	up, groups := sh.group, 0
	if short { // the next tile has other groups
		up, groups = pr.call, sh.share
	}
	ahead := &lookAhead{}
	ahead.first, here = first(up, direct, 0)
	ahead.both = both(atAhead, atLoop, up, groups)
	if !short && !sh.group.long {
		ahead.next = &nextGroup{turn: both(atTurn, atTurned, pr.call, 1), last: second(atLast, atLoop, sh.group)}
		ahead.next.last.body(nil)
	}
	return ahead
}
