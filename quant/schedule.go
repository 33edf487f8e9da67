package quant

// QATSchedule says from which step of quantization-aware training on the observer and fake-quantization are on, as in the reference.
// A step is a call of FakeQuantizer.Step. The zero value has both on from the beginning.
type QATSchedule struct {
	EnableObserver  int // first step with the observer on, at least 0
	EnableFakeQuant int // first step with fake-quantization on, at least EnableObserver
	DisableObserver int // first step with the observer off again, more than EnableObserver, at least EnableFakeQuant; 0 is never
}

// validate reports the first field that is out of place.
func (s QATSchedule) validate() error {
	switch {
	case s.EnableObserver < 0:
		return specError("enable_observer", s.EnableObserver, "at least 0")
	case s.EnableFakeQuant < s.EnableObserver:
		return specError("enable_fake_quant", s.EnableFakeQuant, "at least enable_observer")
	case s.DisableObserver != 0 && (s.DisableObserver <= s.EnableObserver || s.DisableObserver < s.EnableFakeQuant):
		return specError("disable_observer", s.DisableObserver, "more than enable_observer and at least enable_fake_quant, or 0 for never")
	}
	return nil
}

// at returns the switches of a step.
func (s QATSchedule) at(step int) (observer, fakeQuant bool) {
	return step >= s.EnableObserver && (s.DisableObserver == 0 || step < s.DisableObserver), step >= s.EnableFakeQuant
}

// SetSchedule lets a schedule turn the switches, from one of its steps on: 0 for a run that begins. The step is not in a State, which has the
// reference's tensors alone; a run that is taken up again saves ScheduleStep beside it, and goes on with
//
//	err = q.LoadState(state)
//	err = q.SetSchedule(schedule, step)
func (q *FakeQuantizer[T]) SetSchedule(s QATSchedule, step int) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	if err := s.validate(); err != nil {
		return err
	}
	if step < 0 {
		return specError("step", step, "at least 0")
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.schedule, q.step = &s, step
	q.applySchedule()
	return nil
}

// ScheduleStep returns the schedule's present step: the one that SetSchedule was given, and one more for each call of Step.
func (q *FakeQuantizer[T]) ScheduleStep() int {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.step
}

// Step goes on to the schedule's next step and turns the switches as it says. Without a schedule it does nothing.
func (q *FakeQuantizer[T]) Step() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.schedule != nil {
		q.step++
		q.applySchedule()
	}
}

func (q *FakeQuantizer[T]) applySchedule() {
	observer, fakeQuant := q.schedule.at(q.step)
	if q.observerFixed() {
		observer = q.observerOn
	}
	if observer != q.observerOn || fakeQuant != q.fakeQuantOn {
		q.observerOn, q.fakeQuantOn = observer, fakeQuant
		q.vector.Store(nil)
	}
}
