-- What the harness wrote when its schema was 0002: two trials that are done, one that failed.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0002');
CREATE TABLE configs (
	digest VARCHAR(32) NOT NULL,
	content JSON NOT NULL,
	CONSTRAINT pk_configs PRIMARY KEY (digest)
);
INSERT INTO configs VALUES('4632357c02857d74','{"model": {}}');
INSERT INTO configs VALUES('c2645a1510c27018','{"model": {}}');
CREATE TABLE environments (
	digest VARCHAR(32) NOT NULL,
	content JSON NOT NULL,
	CONSTRAINT pk_environments PRIMARY KEY (digest)
);
INSERT INTO environments VALUES('543547105b89fdf7','{"numerics": 3}');
CREATE TABLE floors (
	benchmark VARCHAR(128) NOT NULL,
	version INTEGER NOT NULL,
	dataset VARCHAR(64) NOT NULL,
	metric VARCHAR(255) NOT NULL,
	value DOUBLE,
	CONSTRAINT pk_floors PRIMARY KEY (benchmark, version, dataset, metric)
);
INSERT INTO floors VALUES('scenes-localization',1,'18d4811d7401dd3a94040be1','maxboxaccv2',0.0);
CREATE TABLE specs (
	benchmark VARCHAR(128) NOT NULL,
	version INTEGER NOT NULL,
	metric VARCHAR(255) NOT NULL,
	position INTEGER NOT NULL,
	unit VARCHAR(32) NOT NULL,
	higher_is_better BOOLEAN NOT NULL,
	title TEXT NOT NULL,
	"primary" BOOLEAN NOT NULL,
	per_scene BOOLEAN NOT NULL,
	CONSTRAINT pk_specs PRIMARY KEY (benchmark, version, metric)
);
INSERT INTO specs VALUES('scenes-localization',1,'corloc',6,'%',1,'CorLoc',0,0);
INSERT INTO specs VALUES('scenes-localization',1,'maxboxaccv2',0,'%',1,'MaxBoxAccV2',1,0);
CREATE TABLE trials (
	digest VARCHAR(32) NOT NULL,
	benchmark VARCHAR(128) NOT NULL,
	version INTEGER NOT NULL,
	family VARCHAR(64) NOT NULL,
	tier VARCHAR(32) NOT NULL,
	method VARCHAR(128) NOT NULL,
	slot VARCHAR(255) NOT NULL,
	seed BIGINT NOT NULL,
	dataset VARCHAR(64) NOT NULL,
	plugins JSON NOT NULL,
	expected DOUBLE NOT NULL,
	config_digest VARCHAR(32) NOT NULL,
	environment_digest VARCHAR(32),
	state VARCHAR(8) NOT NULL,
	kind VARCHAR(32),
	reason TEXT,
	attempts INTEGER NOT NULL,
	notes JSON NOT NULL,
	created DOUBLE NOT NULL,
	started DOUBLE,
	finished DOUBLE,
	log TEXT,
	work_dir TEXT,
	token VARCHAR(32),
	host VARCHAR(255),
	pid INTEGER,
	process_start VARCHAR(32),
	expires DOUBLE, overrides JSON DEFAULT '[]' NOT NULL,
	CONSTRAINT pk_trials PRIMARY KEY (digest),
	CONSTRAINT fk_trials_config_digest_configs FOREIGN KEY(config_digest) REFERENCES configs (digest),
	CONSTRAINT fk_trials_environment_digest_environments FOREIGN KEY(environment_digest) REFERENCES environments (digest)
);
INSERT INTO trials VALUES('47577382ee19aaed','scenes-localization',1,'object-localization','synthetic','gap','pooling',0,'18d4811d7401dd3a94040be1','{"gap": "d501345d786d0501bbbfb35e1575f3e8"}',10.0,'4632357c02857d74','543547105b89fdf7','done',NULL,NULL,1,'["score map: class activation", "corloc: threshold 0.72, chosen on 60 images of the training or validation split, none of which is scored"]',1795649169.2948167324,1795649195.2879369258,1795649202.0534582138,'results/trials/47577382ee19aaed/log.txt','results/trials/47577382ee19aaed',NULL,NULL,NULL,NULL,NULL,'[]');
INSERT INTO trials VALUES('501048b7caf09186','scenes-localization',1,'object-localization','synthetic','simpool','pooling',0,'18d4811d7401dd3a94040be1','{"simpool": "6a8e2d41653bfee9c1f535b48642ff06"}',10.0,'c2645a1510c27018','543547105b89fdf7','done',NULL,NULL,1,'["score map: pooling attention", "corloc: threshold 0.50, chosen on 60 images of the training or validation split, none of which is scored"]',1795649169.2948167324,1795649209.1583006381,1795649217.6855509281,'results/trials/501048b7caf09186/log.txt','results/trials/501048b7caf09186',NULL,NULL,NULL,NULL,NULL,'[]');
INSERT INTO trials VALUES('501048b7caf09187','scenes-localization',1,'object-localization','synthetic','gem','pooling',0,'18d4811d7401dd3a94040be1','{}',10.0,'c2645a1510c27018',NULL,'failed','error','ValueError: of old',2,'[]',1795649169.0,1795649195.0,1795649202.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'["schedule.epochs=3"]');
CREATE TABLE costs (
	trial VARCHAR(32) NOT NULL,
	params BIGINT,
	flops DOUBLE,
	latency_ms DOUBLE,
	peak_memory_mb DOUBLE,
	CONSTRAINT pk_costs PRIMARY KEY (trial),
	CONSTRAINT fk_costs_trial_trials FOREIGN KEY(trial) REFERENCES trials (digest) ON DELETE CASCADE
);
INSERT INTO costs VALUES('47577382ee19aaed',395166,65029248.0,1.2627554999937729007,88.523437499999999998);
INSERT INTO costs VALUES('501048b7caf09186',413790,65090688.0,1.8488760000252568715,93.109375000000000003);
CREATE TABLE metrics (
	trial VARCHAR(32) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	name VARCHAR(255) NOT NULL,
	value DOUBLE,
	CONSTRAINT pk_metrics PRIMARY KEY (trial, kind, name),
	CONSTRAINT fk_metrics_trial_trials FOREIGN KEY(trial) REFERENCES trials (digest) ON DELETE CASCADE
)
 WITHOUT ROWID
;
INSERT INTO metrics VALUES('47577382ee19aaed','duration','train',5.5360177839999948901);
INSERT INTO metrics VALUES('47577382ee19aaed','metric','corloc',71.666666666666671405);
INSERT INTO metrics VALUES('47577382ee19aaed','metric','maxboxaccv2',65.833333333333328594);
INSERT INTO metrics VALUES('501048b7caf09186','diagnostic','entropy',0.48329137762387591736);
INSERT INTO metrics VALUES('501048b7caf09186','duration','train',6.8055678690000149799);
INSERT INTO metrics VALUES('501048b7caf09186','metric','corloc',0.0);
INSERT INTO metrics VALUES('501048b7caf09186','metric','maxboxaccv2',6.9444444444444428654);
CREATE TABLE samples (
	trial VARCHAR(32) NOT NULL,
	name VARCHAR(255) NOT NULL,
	count INTEGER NOT NULL,
	data BLOB NOT NULL,
	CONSTRAINT pk_samples PRIMARY KEY (trial, name),
	CONSTRAINT fk_samples_trial_trials FOREIGN KEY(trial) REFERENCES trials (digest) ON DELETE CASCADE
);
INSERT INTO samples VALUES('47577382ee19aaed','corloc',120,X'789ce58c891100300404b736d52b2be118514398f3ac073e33bf1ea18d2e71514d734bf212735468f54c8287e437b0eb11dae81213d534b7242b31478556cf2478487ee3003ef4595d');
INSERT INTO samples VALUES('501048b7caf09186','corloc',120,X'789c63601805c319000001e00001');
CREATE INDEX ix_trials_benchmark ON trials (benchmark);
CREATE INDEX ix_trials_state ON trials (state);
COMMIT;
