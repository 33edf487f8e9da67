package ir

// What a graph says of itself: which nodes are wanted, and how often each is computed.

// Root reports whether the node is wanted for what it does.
func (n *Node) Root() bool {
	switch n.Op {
	case OpStore, OpResult, OpAlarmNaN, OpAlarmCode, OpAlarmAbove, OpAlarmHalf, OpAlarmLow:
		return true
	}
	return false
}

// Prune forgets nodes that no root needs.
func (k *Kernel) Prune() {
	live := map[*Node]bool{}
	var visit func(n *Node)
	visit = func(n *Node) {
		if !live[n] {
			live[n] = true
			for _, a := range n.Args {
				visit(a)
			}
		}
	}
	for _, n := range k.Nodes {
		if n.Root() {
			visit(n)
		}
	}
	var kept []*Node
	for _, n := range k.Nodes {
		if live[n] {
			n.ID = len(kept)
			kept = append(kept, n)
		}
	}
	k.Nodes, k.memo = kept, map[string]*Node{}
	for _, n := range kept {
		k.memo[n.key()] = n
	}
}

// Level says how often a node is computed.
type Level uint8

// Levels, from rare to often; After is once per group, behind its elements.
const (
	PerCall Level = iota
	PerGroup
	PerElement
	After
)

// Levels gives each node's level. With lanes set, each element is a group of
// its own, and parameters are loaded like streams.
func (k *Kernel) Levels(lanes bool) []Level {
	l := make([]Level, len(k.Nodes))
	for i, n := range k.Nodes {
		switch n.Op {
		case OpLoad:
			l[i] = PerElement
		case OpParam:
			l[i] = PerGroup
			if lanes {
				l[i] = PerElement
			}
		case OpStore, OpAlarmNaN, OpAlarmCode, OpAlarmAbove, OpAlarmHalf, OpAlarmLow:
			l[i] = PerElement
		case OpResult:
			l[i] = After
		}
		if n.Op.Fold() {
			l[i] = After
		}
		for _, a := range n.Args {
			l[i] = max(l[i], l[a.ID])
		}
	}
	return l
}
