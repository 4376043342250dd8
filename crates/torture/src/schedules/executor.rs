//! Polls a few tasks one at a time and chooses at every store call, by a seed, which one goes on.
//!
//! Between two choices only the chosen task runs, and those that it wakes: nothing depends on the
//! machine. A task may also be given up where it waits, as when its client goes away.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use roadstead_testkit::Random;

use super::gate::{Call, Gate};

/// Something under way that borrows for `'s`.
pub type Doing<'s, T> = Pin<Box<dyn Future<Output = T> + 's>>;

/// What one schedule came to.
pub struct Played<T> {
    /// What each task ended with; nothing for one that was given up.
    pub ended: Vec<Option<T>>,
    /// The same for two schedules that made the same choices.
    pub trace: u64,
    /// The choices, to be read.
    pub choices: Vec<(usize, Call)>,
    /// Whether tasks were left that wait for one another.
    pub is_stuck: bool,
}

struct Woken {
    flag: AtomicBool,
    thread: Thread,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

struct Task<'s, T> {
    future: Option<Doing<'s, T>>,
    woken: Arc<Woken>,
    ended: Option<T>,
}

/// Where a task is given up, if one is.
struct GivingUp {
    task: usize,
    after_choices: u64,
}

/// One schedule.
pub struct Executor<'s, 'g, T> {
    gate: &'g Gate,
    tasks: Vec<Task<'s, T>>,
    random: Random,
    /// One choice in so many is of another task.
    patience: u64,
    giving_up: Option<GivingUp>,
}

impl<'s, 'g, T> Executor<'s, 'g, T> {
    /// Schedules `tasks` by chance. Each begins with a choice.
    pub fn new(gate: &'g Gate, tasks: Vec<Doing<'s, T>>, mut random: Random) -> Self {
        let patience = *random.pick(&[1, 1, 2, 4, 8]);
        let gives_up = random.below(4) == 0;
        let giving_up = gives_up.then(|| GivingUp {
            task: random.below(tasks.len() as u64) as usize,
            after_choices: random.below(16),
        });
        let task = |future| Task {
            future: Some(future),
            woken: Arc::new(Woken {
                flag: AtomicBool::new(true),
                thread: thread::current(),
            }),
            ended: None,
        };
        Self {
            gate,
            tasks: tasks.into_iter().map(task).collect(),
            random,
            patience,
            giving_up,
        }
    }

    /// Runs until every task has ended. `settle` is called after a task was given up with a write
    /// under way and waits for that.
    pub fn play(mut self, settle: impl Fn()) -> Played<T> {
        self.gate.close(true);
        let (mut hasher, mut choices) = (DefaultHasher::new(), Vec::new());
        let mut latest = None;
        self.run_until_quiet();
        loop {
            let waiting = self.gate.waiting();
            let Some(chosen) = self.choose(&waiting, latest) else {
                break;
            };
            let gives_up = self.giving_up.as_ref().is_some_and(|giving_up| {
                giving_up.task == chosen.0 && giving_up.after_choices <= choices.len() as u64
            });
            (chosen, gives_up).hash(&mut hasher);
            choices.push(chosen);
            latest = Some(chosen.0);
            if gives_up {
                self.give_up(chosen, &settle);
                self.giving_up = None;
            } else {
                self.gate.permit(chosen.0);
                self.poll(chosen.0);
            }
            self.run_until_quiet();
        }
        self.gate.close(false);
        Played {
            is_stuck: self.tasks.iter().any(|task| task.future.is_some()),
            ended: self.tasks.into_iter().map(|task| task.ended).collect(),
            trace: hasher.finish(),
            choices,
        }
    }

    fn choose(
        &mut self,
        waiting: &[(usize, Call)],
        latest: Option<usize>,
    ) -> Option<(usize, Call)> {
        if waiting.is_empty() {
            return None;
        }
        let stays = self.random.below(self.patience) > 0;
        let same = waiting.iter().find(|(task, _)| Some(*task) == latest);
        match same.filter(|_| stays) {
            Some(same) => Some(*same),
            None => Some(*self.random.pick(waiting)),
        }
    }

    /// Drops a task: before its call, or with a write on its way, which then happens without it.
    fn give_up(&mut self, (task, call): (usize, Call), settle: &impl Fn()) {
        if call == Call::Write && self.random.below(2) == 0 {
            self.gate.permit(task);
            self.poll(task);
            self.tasks[task].future = None;
            self.gate.forget(task);
            settle();
        } else {
            self.tasks[task].future = None;
            self.gate.forget(task);
        }
    }

    /// Polls what is woken until all wait at the gate, or for one another, or have ended.
    fn run_until_quiet(&mut self) {
        loop {
            let mut is_quiet = true;
            for task in 0..self.tasks.len() {
                if self.tasks[task].woken.flag.load(Ordering::SeqCst) {
                    is_quiet = false;
                    self.poll(task);
                }
            }
            if is_quiet && !self.gate.is_under_way() {
                return;
            }
            if is_quiet {
                thread::park();
            }
        }
    }

    fn poll(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        task.woken.flag.store(false, Ordering::SeqCst);
        let Some(future) = &mut task.future else {
            return;
        };
        self.gate.polling(number);
        let waker = Waker::from(task.woken.clone());
        if let Poll::Ready(ended) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            task.ended = Some(ended);
            task.future = None;
        }
    }
}
