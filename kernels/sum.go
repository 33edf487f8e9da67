package kernels

// orderedSum adds float32 in an order that depends on nothing but their number,
// so that the result is the same on every implementation. Numbers come in chunks
// of 4096. In a chunk number i is added to lane i%16, in order, and then lane j+8
// to lane j, j+4, j+2, j+1. Chunks are added as float64, in order.
//
// Four registers of four lanes, two of eight or one of sixteen keep that order.
type orderedSum struct {
	lanes [sumLanes]float32
	held  int // numbers of the chunk at hand
	total float64
}

const sumLanes, sumChunk = 16, 4096

// add adds numbers.
func (s *orderedSum) add(x []float32) {
	for len(x) > 0 {
		n := min(len(x), sumChunk-s.held)
		part := x[:n]
		if at := s.held % sumLanes; at > 0 {
			for len(part) > 0 && at < sumLanes {
				s.lanes[at] += part[0]
				part, at = part[1:], at+1
			}
		}
		l := &s.lanes
		for len(part) >= sumLanes {
			for i, v := range (*[sumLanes]float32)(part) {
				l[i] += v
			}
			part = part[sumLanes:]
		}
		for i, v := range part {
			l[i] += v
		}
		x, s.held = x[n:], s.held+n
		if s.held == sumChunk {
			s.close()
		}
	}
}

// close ends a chunk.
func (s *orderedSum) close() {
	l := &s.lanes
	for half := sumLanes / 2; half > 0; half /= 2 {
		for j := range half {
			l[j] += l[j+half]
		}
	}
	s.total += float64(l[0])
	s.lanes, s.held = [sumLanes]float32{}, 0
}

// sum returns the sum of what was added.
func (s *orderedSum) sum() float64 {
	if s.held > 0 {
		s.close()
	}
	return s.total
}
