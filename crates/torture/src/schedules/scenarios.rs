//! Who races with whom: each scenario prepares a repository, says what its tasks do, and what
//! their answers and the state afterwards may be together.
//!
//! A task that was given up answers nothing; what it did may have happened or not.

use roadstead_domain::time::Span;

use super::executor::Doing;
use super::scene::{Scene, Told};
use super::state::Shown;

/// The answers of the tasks.
pub type Answers = [Option<Told>];

/// See the module.
pub struct Scenario {
    /// What races.
    pub name: &'static str,
    /// Whether what is deleted is kept for six hours.
    pub keeps_deleted: bool,
    /// Puts there what is there before.
    pub prepare: fn(&Scene) -> Doing<'_, Told>,
    /// The tasks.
    pub tasks: fn(&Scene) -> Vec<Doing<'_, Told>>,
    /// What their answers and the state may be.
    pub check: fn(&Scene, &Answers, &Shown) -> Result<(), String>,
}

/// All of them.
pub static SCENARIOS: [Scenario; 11] = [
    PUSH_SWEEP,
    MOUNT_SWEEP,
    DELETE_PUSH,
    FINISH_FINISH,
    TAG_DELETE,
    TAG_TAG,
    LIFECYCLE_PUSH,
    INDEX_CHILD,
    REPOSITORY_PUSH,
    UNDELETE_SWEEP,
    FINISH_EXPIRY,
];

macro_rules! task {
    ($scene:ident, $body:expr) => {
        Box::pin(async move {
            $scene.begin().await;
            $body
        })
    };
}

fn require(holds: bool, what: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| what.to_owned())
}

/// An answer that has to be a success, unless its task was given up.
fn succeeds(answers: &Answers, task: usize) -> Result<(), String> {
    match &answers[task] {
        Some(Err(refusal)) => Err(format!("task {task} was refused: {refusal}")),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn is_done(answers: &Answers, task: usize) -> bool {
    matches!(&answers[task], Some(Ok(_)))
}

impl Scene {
    fn digest(&self, image: usize) -> &str {
        &self.images[image].manifest.digest
    }

    /// Whether the tag points to the image.
    fn has_tag(&self, shown: &Shown, tag: &str, image: usize) -> bool {
        let found = shown.tags.get(&("app".into(), tag.into()));
        found.is_some_and(|digest| digest == self.digest(image))
    }

    fn has_image(&self, shown: &Shown, image: usize) -> bool {
        let wanted = ("app".to_owned(), self.digest(image).to_owned());
        shown.images.contains(&wanted)
    }

    async fn sweep_twice(&self) -> Told {
        self.sweep().await?;
        self.sweep().await
    }
}

/// A blob that waits for its grace to end is asked for, and used, while that ends (F01, F02).
const PUSH_SWEEP: Scenario = Scenario {
    name: "push against sweep",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene.create("other").await?;
            if scene.variant > 0 {
                scene.push_missing("app", &scene.images[0]).await?;
            }
            if scene.variant > 1 {
                scene.push_missing("other", &scene.images[0]).await?;
            }
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let image = &scene.images[0];
        let mut tasks: Vec<Doing<'_, Told>> = vec![
            task!(scene, scene.push_image("app", image, Some("v1")).await),
            task!(scene, scene.sweep_twice().await),
        ];
        if scene.variant == 3 {
            tasks.push(task!(scene, scene.push_image("other", image, None).await));
        }
        tasks
    },
    check: |scene, answers, shown| {
        (0..answers.len()).try_for_each(|task| succeeds(answers, task))?;
        let is_there = !is_done(answers, 0) || scene.has_tag(shown, "v1", 0);
        require(is_there, "an acknowledged image is gone")
    },
};

/// A blob is mounted from where it is about to go (F01).
const MOUNT_SWEEP: Scenario = Scenario {
    name: "mount against sweep",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene.create("other").await?;
            scene.push_missing("other", &scene.images[0]).await?;
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let image = &scene.images[0];
        let mut tasks: Vec<Doing<'_, Told>> = vec![
            task!(scene, {
                for blob in &image.blobs {
                    if scene.mount("other", "app", blob).await? == "absent" {
                        scene.push("app", blob).await?;
                    }
                }
                scene.put("app", &image.manifest, Some("v1")).await
            }),
            task!(scene, scene.sweep_twice().await),
        ];
        if scene.variant % 2 == 1 {
            tasks.push(task!(scene, {
                scene.remove("other").await?;
                scene.sweep().await
            }));
        }
        tasks
    },
    check: |scene, answers, shown| {
        (0..answers.len()).try_for_each(|task| succeeds(answers, task))?;
        let is_there = !is_done(answers, 0) || scene.has_tag(shown, "v1", 0);
        require(is_there, "an acknowledged image is gone")
    },
};

/// An image is pushed again while it is deleted (F09, F25).
const DELETE_PUSH: Scenario = Scenario {
    name: "delete against push",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene
                .push_image("app", &scene.images[0], Some("v1"))
                .await?;
            if scene.variant % 2 == 1 {
                scene.push_image("app", &scene.images[2], Some("w")).await?;
            }
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        vec![
            task!(
                scene,
                scene.push_image("app", &scene.images[0], Some("v2")).await
            ),
            task!(scene, scene.delete("app", scene.digest(0)).await),
            task!(scene, scene.sweep_twice().await),
        ]
    },
    check: |scene, answers, shown| {
        (0..answers.len()).try_for_each(|task| succeeds(answers, task))?;
        let is_back = is_done(answers, 1) && scene.has_tag(shown, "v1", 0);
        require(!is_back, "a deleted tag is back")?;
        // Whoever deletes last takes the other's tag with the image; else it is there.
        let stands = scene.has_image(shown, 0) == scene.has_tag(shown, "v2", 0);
        let is_sure = is_done(answers, 0) && is_done(answers, 1);
        require(!is_sure || stands, "image and tag differ")
    },
};

/// Uploads of one blob end at once, or one upload ends twice (F17).
const FINISH_FINISH: Scenario = Scenario {
    name: "finish against finish",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene.create("other").await
        })
    },
    tasks: |scene| {
        let blob = &scene.images[0].blobs[1];
        if scene.variant < 2 {
            let second = if scene.variant == 0 { "app" } else { "other" };
            return vec![
                task!(scene, scene.push("app", blob).await),
                task!(scene, scene.push(second, blob).await),
                task!(scene, scene.sweep_twice().await),
            ];
        }
        let shared = std::rc::Rc::new(tokio::sync::OnceCell::new());
        let one = |which: u64| -> Doing<'_, Told> {
            let shared = shared.clone();
            task!(scene, {
                let id = shared.get_or_try_init(|| scene.open("app")).await?;
                match which {
                    0 => scene.finish("app", id, blob, blob).await,
                    1 => scene.cancel("app", id).await,
                    _ => scene.append("app", id, 0, &blob.slice(..3)).await,
                }
            })
        };
        match scene.variant {
            2 => vec![one(0), one(0)],
            _ => vec![one(0), one(1), one(2)],
        }
    },
    check: |scene, answers, shown| {
        let oks = (0..2).filter(|task| is_done(answers, *task)).count();
        let has_all = answers.iter().all(Option::is_some);
        let digest = roadstead_testkit::images::digest(&scene.images[0].blobs[1]);
        let is_there = shown.blobs.contains(&("app".into(), digest));
        match scene.variant {
            0 | 1 => {
                (0..answers.len()).try_for_each(|task| succeeds(answers, task))?;
                require(
                    !is_done(answers, 0) || is_there,
                    "an acknowledged blob is gone",
                )
            }
            2 => {
                require(oks < 2, "one upload was finished twice")?;
                require(!has_all || oks == 1, "nobody finished the upload")?;
                require(oks == 0 || is_there, "an acknowledged blob is gone")
            }
            _ => {
                require(oks < 2, "one upload was finished and given up")?;
                let is_kept = !is_done(answers, 0) || is_there;
                require(is_kept, "an acknowledged blob is gone")
            }
        }
    },
};

/// A tag moves while it is deleted (F28).
const TAG_DELETE: Scenario = Scenario {
    name: "tag move against delete",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene
                .push_image("app", &scene.images[0], Some("v1"))
                .await?;
            scene.push_image("app", &scene.images[2], None).await?;
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let mut tasks: Vec<Doing<'_, Told>> = vec![
            task!(
                scene,
                scene.push_image("app", &scene.images[2], Some("v1")).await
            ),
            task!(scene, scene.delete("app", "v1").await),
            task!(scene, scene.sweep_twice().await),
        ];
        if scene.variant % 2 == 1 {
            tasks.push(task!(
                scene,
                scene.push_image("app", &scene.images[1], None).await
            ));
        }
        tasks
    },
    check: |scene, answers, shown| {
        (0..answers.len()).try_for_each(|task| succeeds(answers, task))?;
        let (Some(Ok(_)), Some(Ok(gone))) = (&answers[0], &answers[1]) else {
            return Ok(());
        };
        let has_tag = shown.tags.contains_key(&("app".into(), "v1".into()));
        let stands = if gone == scene.digest(0) {
            scene.has_tag(shown, "v1", 2) && !scene.has_image(shown, 0)
        } else {
            !has_tag && !scene.has_image(shown, 2) && scene.has_image(shown, 0)
        };
        require(stands, "not what one after the other gives")
    },
};

/// Several take one tag where tags do not move: one gets it (F28).
const TAG_TAG: Scenario = Scenario {
    name: "tag against tag, immutable",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene.make_immutable("app").await
        })
    },
    tasks: |scene| {
        (0..3)
            .map(|n| -> Doing<'_, Told> {
                task!(
                    scene,
                    scene.push_image("app", &scene.images[n], Some("v1")).await
                )
            })
            .collect()
    },
    check: |scene, answers, shown| {
        let winners: Vec<usize> = (0..3).filter(|task| is_done(answers, *task)).collect();
        require(winners.len() < 2, "two got one immutable tag")?;
        let has_all = answers.iter().all(Option::is_some);
        require(!has_all || winners.len() == 1, "nobody got the tag")?;
        let is_kept = winners.iter().all(|n| scene.has_tag(shown, "v1", *n));
        require(is_kept, "the tag is not the winner's")
    },
};

/// A policy runs while its repository changes.
const LIFECYCLE_PUSH: Scenario = Scenario {
    name: "lifecycle run against push",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            for n in [0, 1, 2] {
                scene.push_image("app", &scene.images[n], None).await?;
                scene.advance(Span::seconds(60));
            }
            scene.keep_only("app", 1).await?;
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let pushing: Doing<'_, Told> = match scene.variant {
            0 => task!(scene, scene.put("app", &scene.index, Some("multi")).await),
            1 => task!(
                scene,
                scene
                    .push_image("app", &scene.images[0], Some("again"))
                    .await
            ),
            2 => task!(scene, scene.delete("app", scene.digest(2)).await),
            _ => task!(
                scene,
                scene.push_image("app", &scene.images[3], Some("new")).await
            ),
        };
        vec![
            pushing,
            task!(scene, scene.run_policy("app").await),
            task!(scene, scene.sweep_twice().await),
        ]
    },
    check: |scene, answers, shown| {
        succeeds(answers, 1)?;
        succeeds(answers, 2)?;
        let told = answers[0].as_ref();
        match scene.variant {
            // The index was whole when it was acknowledged, and is the youngest.
            0 => {
                let tag = shown.tags.get(&("app".into(), "multi".into()));
                let refused = told.is_some_and(|told| {
                    told.as_ref()
                        .is_err_and(|why| why == "ReferencedImagesNotFound")
                });
                let is_there = tag == Some(&scene.index.digest);
                require(told.is_none() || refused || is_there, "an index is gone")
            }
            1 => succeeds(answers, 0),
            2 => {
                succeeds(answers, 0)?;
                let expired = answers[1].iter().flatten().next();
                let expired = expired.and_then(|expired| expired.parse::<usize>().ok());
                // Two others went before it, or one after it.
                let left = expired.map(|expired| 2 - expired.min(2));
                let is_right = left.is_none_or(|left| shown.images.len() == left);
                require(told.is_none() || is_right, "the rule kept another number")
            }
            _ => {
                succeeds(answers, 0)?;
                let is_there = told.is_none() || scene.has_tag(shown, "new", 3);
                require(is_there, "the youngest image is gone")
            }
        }
    },
};

/// An index is pushed while one that it lists is deleted (F06).
const INDEX_CHILD: Scenario = Scenario {
    name: "index push against child delete",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene.push_image("app", &scene.images[0], None).await?;
            scene
                .push_image("app", &scene.images[1], Some("one"))
                .await?;
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let mut tasks: Vec<Doing<'_, Told>> = vec![
            task!(scene, {
                if scene.variant > 1 {
                    scene.push_missing("app", &scene.images[0]).await?;
                }
                scene.put("app", &scene.index, Some("multi")).await
            }),
            task!(scene, scene.delete("app", scene.digest(0)).await),
            task!(scene, scene.sweep_twice().await),
        ];
        if scene.variant % 2 == 1 {
            tasks.push(task!(
                scene,
                scene.push_image("app", &scene.images[3], None).await
            ));
        }
        tasks
    },
    check: |_, answers, shown| {
        let (Some(put), Some(deleted)) = (&answers[0], &answers[1]) else {
            return Ok(());
        };
        let has_index = shown.tags.contains_key(&("app".into(), "multi".into()));
        let stands = match (put, deleted) {
            (Ok(_), Err(why)) => why == "ImageReferencedByManifestList" && has_index,
            (Err(why), Ok(_)) => why == "ReferencedImagesNotFound" && !has_index,
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => false,
        };
        require(stands, "not what one after the other gives")
    },
};

/// A repository goes, and may come again, while somebody pushes to it (F25).
const REPOSITORY_PUSH: Scenario = Scenario {
    name: "delete repository against push",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene
                .push_image("app", &scene.images[2], Some("old"))
                .await?;
            scene.advance(Span::seconds(3601));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        vec![
            task!(
                scene,
                scene.push_image("app", &scene.images[0], Some("v1")).await
            ),
            task!(scene, {
                scene.remove("app").await?;
                if scene.variant % 2 == 1 {
                    scene.create("app").await?;
                }
                Ok("done".into())
            }),
            task!(scene, scene.sweep_twice().await),
        ]
    },
    check: |scene, answers, shown| {
        succeeds(answers, 1)?;
        succeeds(answers, 2)?;
        if let Some(Err(why)) = &answers[0] {
            let expected = ["RepositoryNotFound", "UploadNotFound", "LayersNotFound"];
            require(expected.contains(&why.as_str()), why)?;
        }
        let is_gone = is_done(answers, 1);
        let is_back = is_gone && scene.has_image(shown, 2);
        require(!is_back, "what a deleted repository held is back")?;
        let has_any = !shown.images.is_empty() || !shown.blobs.is_empty();
        let is_over = is_gone && scene.variant % 2 == 0;
        require(
            !(is_over && has_any),
            "a deleted repository holds something",
        )
    },
};

/// A deleted image is brought back as its time ends.
const UNDELETE_SWEEP: Scenario = Scenario {
    name: "undelete against sweep",
    keeps_deleted: true,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            scene
                .push_image("app", &scene.images[0], Some("v1"))
                .await?;
            scene.delete("app", "v1").await?;
            scene.advance(Span::seconds(6 * 3600 + 1));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let mut tasks: Vec<Doing<'_, Told>> = vec![
            task!(scene, scene.undelete("app", scene.digest(0)).await),
            task!(scene, {
                scene.sweep().await?;
                scene.advance(Span::seconds(3601));
                scene.sweep().await
            }),
        ];
        if scene.variant % 2 == 1 {
            tasks.push(task!(
                scene,
                scene.push_image("app", &scene.images[2], Some("v1")).await
            ));
        }
        if scene.variant > 1 {
            tasks.push(task!(
                scene,
                scene.push_image("app", &scene.images[0], None).await
            ));
        }
        tasks
    },
    check: |scene, answers, shown| {
        succeeds(answers, 1)?;
        let is_there = scene.has_image(shown, 0);
        require(
            !is_done(answers, 0) || is_there,
            "an undeleted image is gone",
        )
    },
};

/// An upload ends as its time does.
const FINISH_EXPIRY: Scenario = Scenario {
    name: "finish against expiry",
    keeps_deleted: false,
    prepare: |scene| {
        Box::pin(async move {
            scene.create("app").await?;
            let id = scene.open("app").await?;
            let blob = &scene.images[0].blobs[1];
            scene.append("app", &id, 0, &blob.slice(..3)).await?;
            *scene.upload.borrow_mut() = Some(id);
            scene.advance(Span::seconds(24 * 3600 - 1));
            Ok(String::new())
        })
    },
    tasks: |scene| {
        let blob = &scene.images[0].blobs[1];
        let id = scene.upload.borrow().clone();
        let ending = id.clone();
        let mut tasks: Vec<Doing<'_, Told>> = vec![
            task!(scene, {
                let id = ending.ok_or("no upload")?;
                scene.finish("app", &id, &blob.slice(3..), blob).await
            }),
            task!(scene, {
                scene.advance(Span::seconds(2));
                scene.sweep_twice().await
            }),
        ];
        if scene.variant % 2 == 1 {
            tasks.push(task!(scene, {
                let id = id.ok_or("no upload")?;
                scene.append("app", &id, 3, &blob.slice(3..)).await
            }));
        }
        if scene.variant > 1 {
            tasks.push(task!(scene, scene.push("app", blob).await));
        }
        tasks
    },
    check: |scene, answers, shown| {
        succeeds(answers, 1)?;
        let digest = roadstead_testkit::images::digest(&scene.images[0].blobs[1]);
        let is_there = shown.blobs.contains(&("app".into(), digest));
        let refusals = ["UploadNotFound", "UploadBusy", "InvalidLayer"];
        match &answers[0] {
            Some(Err(why)) => require(refusals.contains(&why.as_str()), why),
            Some(Ok(_)) => require(is_there, "an acknowledged blob is gone"),
            None => Ok(()),
        }
    },
};
