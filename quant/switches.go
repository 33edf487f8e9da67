package quant

// observerFixed tells whether the observer's switch cannot be turned.
func (q *FakeQuantizer[T]) observerFixed() bool { return q.given || q.observer.dynamic }

// EnableObserver turns the observer on or off; off, the parameters stay as they are. The observer of a dynamic calculator cannot be
// turned off, and given parameters have none that can be turned on: ErrFixed.
func (q *FakeQuantizer[T]) EnableObserver(on bool) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	q.lock()
	defer q.mu.Unlock()
	if q.observerFixed() && on != q.observerOn {
		why := "on, as the calculator is dynamic"
		if q.given {
			why = "off, as the parameters are given"
		}
		return &Error{ErrFixed, "observer", onOff(on), why}
	}
	q.observerOn = on
	return nil
}

// ObserverEnabled tells whether the observer is on.
func (q *FakeQuantizer[T]) ObserverEnabled() bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.observerOn
}

// EnableFakeQuant turns fake-quantization on or off; off, FakeQuantize passes tensors unchanged (and observes them all the same).
func (q *FakeQuantizer[T]) EnableFakeQuant(on bool) {
	q.lock()
	defer q.mu.Unlock()
	q.fakeQuantOn = on
}

// FakeQuantEnabled tells whether fake-quantization is on.
func (q *FakeQuantizer[T]) FakeQuantEnabled() bool {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.fakeQuantOn
}

// Disabled tells whether a block size did not divide its axis.
func (q *FakeQuantizer[T]) Disabled() bool { return q.disabled.Load() }

// SetExportMode turns export mode on or off; on, no pass moves the parameters, whatever the observer's switch says.
// A dynamic calculator has nothing to export: ErrFixed.
func (q *FakeQuantizer[T]) SetExportMode(on bool) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	q.lock()
	defer q.mu.Unlock()
	if on && q.observer.dynamic {
		return &Error{ErrFixed, "export mode", "on", "off, as the calculator is dynamic"}
	}
	q.export = on
	return nil
}

// SetGranularity changes the granularity, before the first tensor is observed; then it is an ErrFixed.
func (q *FakeQuantizer[T]) SetGranularity(g Granularity) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	if err := g.validate(); err != nil {
		return err
	}
	q.lock()
	defer q.mu.Unlock()
	if q.observer.observed {
		return &Error{ErrFixed, "granularity", g.String(), q.spec.Granularity.String() + ", as there are parameters already"}
	}
	q.spec.Granularity = g
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
