package plan

import "fmt"

// verify runs a segment's instructions on registers that remember whose value
// they hold, and panics where one reads another's: a mistake of the allocator.
func (p *planner) verify(s *Seg, at assignment, pinned map[V]int) {
	var holds [classes]map[int]V
	for c := range holds {
		holds[c] = map[int]V{}
	}
	for v, r := range pinned {
		holds[p.class[v]][r] = v
	}
	for i, in := range s.insts {
		for _, v := range in.Uses {
			if got, ok := holds[p.class[v]][at[v]]; !ok || got != v {
				panic(fmt.Sprintf("plan: %s%s: instruction %d reads register %d for value %d, which holds %d", p.k.Name, p.m.Name(), i, at[v], v, got))
			}
		}
		for _, d := range in.Defs {
			for j, u := range in.Uses {
				if in.Apart && at[u] == at[d] && p.class[u] == p.class[d] && u != d && (j > 0 || !in.Tied) {
					panic(fmt.Sprintf("plan: %s%s: instruction %d writes over an operand", p.k.Name, p.m.Name(), i))
				}
			}
			for v, r := range pinned {
				if r == at[d] && p.class[v] == p.class[d] && v != d {
					panic(fmt.Sprintf("plan: %s%s: instruction %d writes over a value that lives through the loop", p.k.Name, p.m.Name(), i))
				}
			}
			holds[p.class[d]][at[d]] = d
		}
	}
}
