package plan

import (
	"maps"
	"slices"
	"sort"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// assignment gives each virtual register of a segment its physical one.
type assignment map[V]int

// liveOut are the registers of a segment that later segments use.
func liveOut(s *Seg, later ...*Seg) []V {
	mine := map[V]bool{}
	for _, i := range s.insts {
		for _, d := range i.Defs {
			mine[d] = true
		}
	}
	var out []V
	for _, l := range later {
		for _, i := range l.insts {
			for _, u := range append(append([]V(nil), i.Uses...), i.Defs...) {
				if mine[u] {
					mine[u] = false
					out = append(out, u)
				}
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// pin gives registers that live through a loop their places, from the sixteenth
// of each file down and then behind it: x86 has shorter codes for the first
// sixteen, and Zen 4 is faster with those. The first two vector registers are for routines.
func (p *planner) pin(vs []V, taken map[V]int) bool {
	used := [classes]map[int]bool{{}, {}}
	for v, r := range taken {
		used[p.class[v]][r] = true
	}
	for _, v := range vs {
		c := p.class[v]
		regs := p.m.Regs(c)
		ok := false
		low := regs[:min(16, len(regs))]
		for i := range regs {
			r := regs[i]
			if i < len(low) {
				r = low[len(low)-1-i]
			}
			if !ok && !used[c][r] && (c != Vec || r > 1) {
				used[c][r], taken[v], ok = true, r, true
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// scan is the linear scan: it walks the segment once and hands out registers.
func (p *planner) scan(s *Seg, pinned map[V]int) (assignment, bool) {
	last := map[V]int{}
	for i, in := range s.insts {
		for _, v := range in.Uses {
			last[v] = i
		}
		for _, v := range in.Defs {
			if _, ok := last[v]; !ok {
				last[v] = i
			}
		}
	}
	at := assignment{}
	busy := [classes]map[int]bool{{}, {}}
	for v, r := range pinned {
		at[v] = r
		busy[p.class[v]][r] = true
	}
	for i, in := range s.insts {
		var dying []V
		for _, v := range in.Uses {
			if _, ok := pinned[v]; !ok && last[v] == i {
				dying = append(dying, v)
			}
		}
		early := dying
		if in.Apart {
			early = nil
			if in.Tied && slices.Contains(dying, in.Uses[0]) && !slices.Contains(in.Uses[1:], in.Uses[0]) {
				early = in.Uses[:1]
			}
		}
		p.release(early, at, &busy)
		for _, d := range in.Defs {
			if _, ok := at[d]; ok { // pinned, or updated in place
				continue
			}
			c := p.class[d]
			pick := -1
			for _, v := range early {
				if p.class[v] == c && !busy[c][at[v]] {
					pick = at[v]
					break
				}
			}
			for _, r := range p.m.Regs(c) {
				if pick < 0 && !busy[c][r] {
					pick = r
				}
			}
			if pick < 0 {
				return nil, false
			}
			at[d] = pick
			busy[c][pick] = true
			p.maxUsed[c] = max(p.maxUsed[c], len(busy[c]))
		}
		for _, v := range dying {
			if !slices.Contains(early, v) {
				p.release([]V{v}, at, &busy)
			}
		}
		for _, d := range in.Defs { // a result that nobody reads
			if _, ok := pinned[d]; !ok && last[d] == i {
				delete(busy[p.class[d]], at[d])
			}
		}
	}
	return at, true
}

func (p *planner) release(vs []V, at assignment, busy *[classes]map[int]bool) {
	for _, v := range vs {
		if holder, ok := at[v]; ok {
			delete(busy[p.class[v]], holder)
		}
	}
}

// allocation is the result for a whole program.
type allocation map[*Seg]assignment

// allocator places the segments of a program until registers run out.
type allocator struct {
	*planner
	out allocation
	ok  bool
}

// allocate places every segment, or reports that registers ran out.
func (p *planner) allocate(pr *program) (allocation, bool) {
	a := &allocator{p, allocation{}, true}
	call, ok := a.pinned(nil, pr.call, afterCall(pr)...)
	if !ok {
		return nil, false
	}
	a.place(pr.call, call)
	kept := call
	if p.rareAlone {
		kept = nil
	}
	a.place(pr.rare.turn, kept)
	a.place(pr.rare.rest, kept)
	p.rareFails = !a.ok
	for _, l := range pr.loops {
		if !a.loop(l.core(), call) {
			return nil, false
		}
	}
	if a.ok && pr.row != nil {
		pins := call
		if x := pr.row.mix; x != nil {
			pins, a.ok = a.pinned(call, x.first, pr.row.meet)
			a.place(x.first, pins)
		}
		a.place(pr.row.meet, pins)
		p.meetFails = !a.ok
	}
	return a.out, a.ok
}

// afterCall are the segments that use what is there for a call.
func afterCall(pr *program) []*Seg {
	var all []*Seg
	for _, l := range pr.loops {
		sh := l.core()
		all = append(append(all, sh.group), sh.segments()...)
	}
	all = append(all, pr.rare.turn, pr.rare.rest)
	if pr.row != nil {
		all = append(all, pr.row.meet)
		if x := pr.row.mix; x != nil {
			all = append(all, x.first)
		}
	}
	return all
}

// loop places the segments of a loop. It reports whether there were registers for what lives through it.
func (a *allocator) loop(sh *shape, call map[V]int) bool {
	pins, ok := a.pinned(call, sh.group, sh.segments()...)
	if !ok {
		return false
	}
	carried := pins
	if ahead := sh.ahead; ahead != nil {
		if carried, ok = a.pinned(pins, ahead.first, ahead.segments()[1:]...); !ok {
			return false
		}
		for _, s := range ahead.segments() {
			a.place(s, carried)
		}
	}
	a.place(sh.group, carried) // behind a turn a tile is begun already
	a.place(sh.body, pins)
	for _, s := range sh.apart {
		pins := pins
		if s.list != nil {
			if pins, ok = a.pinned(pins, s.list, s); !ok {
				return false
			}
			a.place(s.list, pins)
		}
		a.place(s, pins)
	}
	if l := sh.look; l != nil {
		listed, ok := a.pinned(pins, l.list, l.tile)
		if !ok {
			return false
		}
		a.place(l.list, listed)
		a.place(l.tile, listed)
	}
	a.place(sh.tail, pins)
	a.place(sh.after, pins)
	return true
}

// pinned are the registers that are taken while a segment and later ones run: those that were, and what these use of the segment's.
func (a *allocator) pinned(taken map[V]int, s *Seg, later ...*Seg) (pins map[V]int, ok bool) {
	pins = maps.Clone(taken)
	if pins == nil {
		pins = map[V]int{}
	}
	return pins, a.pin(liveOut(s, later...), pins)
}

// place places a segment beside the registers that are pinned.
func (a *allocator) place(s *Seg, pins map[V]int) {
	if !a.ok {
		return
	}
	if a.out[s], a.ok = a.scan(s, pins); a.ok {
		a.verify(s, a.out[s], pins)
	}
}

// candidates for demotion: constants, words and parameters, the least used in a tile first.
func (p *planner) candidates() []*ir.Node {
	uses := map[int]int{}
	for _, n := range p.k.Nodes {
		for _, a := range p.operands(n) {
			uses[same(a, true).ID] += n.Slots()
		}
	}
	var out []*ir.Node
	for _, n := range p.k.Nodes {
		if n.Op == ir.OpConst || n.Op == ir.OpTable || n.Op == ir.OpUppers || n.Op == ir.OpWord || n.Op == ir.OpParam {
			out = append(out, n)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return uses[out[i].ID] < uses[out[j].ID] })
	return out
}
