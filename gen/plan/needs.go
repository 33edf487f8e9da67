package plan

import (
	"slices"
	"sort"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// needs are the nodes that a kind of shape needs.
type needs struct {
	wanted  map[bool]map[int]bool // of the ordinary way, and of the rare one
	alarmed map[int]bool          // what an alarm looks at, and all that leads to it
	second  map[int]bool          // nodes of the ordinary way that do not
	carried []*ir.Node            // those of the first that the second need
	shared  []*ir.Node            // parameters that both need
}

// same is the node that another one stands for, where groups are long or elsewhere.
func same(n *ir.Node, long bool) *ir.Node {
	for n.Op == ir.OpAs || n.Op == ir.OpElse {
		if n.Op == ir.OpElse && !long {
			n = n.Args[1]
		} else {
			n = n.Args[0]
		}
	}
	return n
}

// reach finds the nodes that are needed.
func (p *planner) reach() {
	p.needs = map[bool]*needs{}
	levels := p.k.Levels(false)
	for _, long := range []bool{false, true} {
		r := &needs{wanted: map[bool]map[int]bool{false: {}, true: {}}, alarmed: map[int]bool{}, second: map[int]bool{}}
		p.needs[long] = r
		for _, n := range p.k.Nodes {
			if n.Op == ir.OpAlarmNaN || n.Op == ir.OpAlarmAbove || n.Op == ir.OpAlarmHalf || n.Op == ir.OpAlarmLow {
				p.want(r.alarmed, p.m.Watched(n), long)
			}
			if n.Root() {
				p.want(r.wanted[n.Rare], n, long)
			}
		}
		for _, n := range p.k.Nodes {
			if levels[n.ID] != ir.PerElement || !r.wanted[false][n.ID] || r.alarmed[n.ID] {
				continue
			}
			r.second[n.ID] = true
			for _, a := range p.operands(n) {
				a = same(a, long)
				if r.alarmed[a.ID] && levels[a.ID] == ir.PerElement && !slices.Contains(r.carried, a) {
					r.carried = append(r.carried, a)
				}
				if a.Op == ir.OpParam && r.alarmed[a.ID] && !slices.Contains(r.shared, a) {
					r.shared = append(r.shared, a)
				}
			}
		}
	}
}

// wants reports whether a segment's tile needs a node.
func (s *Seg) wants(n *ir.Node) bool {
	r := s.p.needs[s.long]
	if s.second {
		return r.second[n.ID]
	}
	return r.wanted[s.rare][n.ID]
}

// want puts what a node stands for into a set, and all that leads to that.
func (p *planner) want(set map[int]bool, n *ir.Node, long bool) {
	n = same(n, long)
	if set[n.ID] {
		return
	}
	set[n.ID] = true
	for _, a := range p.operands(n) {
		p.want(set, a, long)
	}
}

// reached reports whether a node is needed at all.
func (r *needs) reached(n *ir.Node) bool { return r.wanted[false][n.ID] || r.wanted[true][n.ID] }

// hasRare reports whether the kernel has a rare way.
func (p *planner) hasRare() bool { return len(p.needs[false].wanted[true]) > 0 }

// operands are a node's arguments and the target's hidden constants.
func (p *planner) operands(n *ir.Node) []*ir.Node {
	if n.Op == ir.OpAlarmLow {
		return append([]*ir.Node{p.m.Watched(n)}, p.extras[n.ID]...)
	}
	return append(append([]*ir.Node(nil), n.Args...), p.extras[n.ID]...)
}

// roots of a level are the nodes that a more frequent level needs.
func (p *planner) roots(level ir.Level, lanes, long bool) []*ir.Node {
	levels := p.k.Levels(lanes)
	need := map[int]bool{}
	var out []*ir.Node
	for _, n := range p.k.Nodes {
		if levels[n.ID] <= level || !p.needs[long].wanted[false][n.ID] {
			continue
		}
		for _, a := range p.operands(n) {
			a = same(a, long)
			if levels[a.ID] == level && !need[a.ID] && !p.demoted[a.ID] {
				need[a.ID] = true
				out = append(out, a)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// constants are what tiles of the ordinary way need that is there for a call.
func (p *planner) constants() []*ir.Node {
	return slices.Concat(p.roots(ir.PerCall, false, false), p.roots(ir.PerCall, false, true), p.roots(ir.PerCall, true, false))
}
