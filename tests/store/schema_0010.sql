BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0010');
CREATE TABLE caption_embeddings (
	embedding_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	model_id INTEGER NOT NULL, 
	caption_id INTEGER NOT NULL, 
	embedding BLOB NOT NULL, 
	CONSTRAINT fk_caption_embeddings_caption_id_captions FOREIGN KEY(caption_id) REFERENCES captions (caption_id), 
	CONSTRAINT fk_caption_embeddings_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id), 
	CONSTRAINT uq_caption_embeddings_model_id_caption_id UNIQUE (model_id, caption_id)
);
CREATE TABLE captions (
	caption_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	text VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT uq_captions_text UNIQUE (text)
);
INSERT INTO "captions" VALUES(1,'a caption from before','2026-11-27 21:38:13.333893');
CREATE TABLE catalog (
	catalog_id INTEGER NOT NULL, 
	uuid VARCHAR(36) NOT NULL, 
	created_at DATETIME NOT NULL, 
	model_id INTEGER, ann VARCHAR, index_url VARCHAR, last_change BIGINT, stale_before BIGINT, 
	CONSTRAINT pk_catalog PRIMARY KEY (catalog_id), 
	CONSTRAINT fk_catalog_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id)
);
INSERT INTO "catalog" VALUES(1,'9ac4c3f3-e5e4-49ab-889b-55932ae8018d','2026-11-27 21:38:13.100098',1,NULL,NULL,2,NULL);
CREATE TABLE column_files (
	machine VARCHAR(36) NOT NULL, 
	blake3 VARCHAR(64) NOT NULL, 
	row_count INTEGER NOT NULL, 
	last_change BIGINT NOT NULL, 
	CONSTRAINT pk_column_files PRIMARY KEY (machine)
);
CREATE TABLE concept_examples (
	example_id INTEGER NOT NULL, 
	concept_id INTEGER NOT NULL, 
	content_id INTEGER NOT NULL, 
	is_positive BOOLEAN NOT NULL, 
	CONSTRAINT pk_concept_examples PRIMARY KEY (example_id), 
	CONSTRAINT fk_concept_examples_concept_id_concepts FOREIGN KEY(concept_id) REFERENCES concepts (concept_id), 
	CONSTRAINT fk_concept_examples_content_id_contents FOREIGN KEY(content_id) REFERENCES contents (content_id), 
	CONSTRAINT uq_concept_examples_concept_id_content_id UNIQUE (concept_id, content_id)
);
INSERT INTO "concept_examples" VALUES(1,1,1,1);
CREATE TABLE concepts (
	concept_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	words VARCHAR, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_concepts PRIMARY KEY (concept_id), 
	CONSTRAINT uq_concepts_name UNIQUE (name)
);
INSERT INTO "concepts" VALUES(1,'warm','red','2026-11-27 21:38:13.337034');
CREATE TABLE contents (
	content_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	blake3 BLOB NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	format VARCHAR(16) NOT NULL, 
	taken_at DATETIME, 
	camera VARCHAR(128), 
	latitude FLOAT, 
	longitude FLOAT, 
	added_at DATETIME NOT NULL, phash BIGINT, is_date_doubtful BOOLEAN, folded_camera VARCHAR, sharpness INTEGER, brightness INTEGER, changed BIGINT, 
	CONSTRAINT uq_contents_blake3 UNIQUE (blake3)
);
INSERT INTO "contents" VALUES(1,X'A6D1E1ED4B88198F5EE843B0BCD54EDFC3DDEE46DD7888F7035A84A1C21BD9AE',80,16,12,'PNG',NULL,NULL,NULL,NULL,'2026-11-27 21:38:13.302584',0,0,NULL,0,11,1);
INSERT INTO "contents" VALUES(2,X'2F1A0C2E7D2B04F65D70EF6EEB8E9204EF6302B69322ABA6E28A4F5AA35E6F08',79,16,12,'PNG',NULL,NULL,NULL,NULL,'2026-11-27 21:38:13.302584',0,0,NULL,0,59,2);
INSERT INTO "contents" VALUES(3,X'B04D7048A4A372D21E8ABAB693CCD73B27AB88E25D322A8767A96D0B1303761D',78,16,12,'PNG',NULL,NULL,NULL,NULL,'2026-11-27 21:38:13.302584',0,0,NULL,0,30,1);
CREATE TABLE files (
	file_id INTEGER NOT NULL, 
	root_id INTEGER NOT NULL, 
	relative_path BLOB NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	mtime_ns BIGINT NOT NULL, 
	content_id INTEGER, 
	skip_reason VARCHAR, removed_at DATETIME, ctime_ns BIGINT, inode BIGINT, limit_kind VARCHAR(16), limit_value FLOAT, folded_path VARCHAR, 
	CONSTRAINT pk_files PRIMARY KEY (file_id), 
	CONSTRAINT fk_files_content_id_contents FOREIGN KEY(content_id) REFERENCES contents (content_id), 
	CONSTRAINT fk_files_root_id_roots FOREIGN KEY(root_id) REFERENCES roots (root_id), 
	CONSTRAINT uq_files_root_id_relative_path UNIQUE (root_id, relative_path)
);
INSERT INTO "files" VALUES(1,1,X'62726F6B656E2E706E67',6,1795815493143730152,NULL,'not a picture of a kind that can be read',NULL,1795815493143730152,2497828,NULL,NULL,NULL);
INSERT INTO "files" VALUES(2,1,X'626C75652E706E67',80,1795815493142775933,1,NULL,NULL,1795815493142775933,2497827,NULL,NULL,NULL);
INSERT INTO "files" VALUES(3,1,X'677265656E2E706E67',79,1795815493137448655,2,NULL,'2026-11-27 21:38:13.330519',1795815493137448655,2497826,NULL,NULL,NULL);
INSERT INTO "files" VALUES(4,1,X'7265642E706E67',78,1795815493136293021,3,NULL,NULL,1795815493136293021,2497825,NULL,NULL,NULL);
CREATE TABLE image_embeddings (
	embedding_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	model_id INTEGER NOT NULL, 
	content_id INTEGER NOT NULL, 
	embedding BLOB NOT NULL, 
	CONSTRAINT fk_image_embeddings_content_id_contents FOREIGN KEY(content_id) REFERENCES contents (content_id), 
	CONSTRAINT fk_image_embeddings_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id), 
	CONSTRAINT uq_image_embeddings_model_id_content_id UNIQUE (model_id, content_id)
);
INSERT INTO "image_embeddings" VALUES(1,1,1,X'9CB89CB89C38612B');
INSERT INTO "image_embeddings" VALUES(2,1,2,X'9CB89C389CB8612B');
INSERT INTO "image_embeddings" VALUES(3,1,3,X'9C389CB89CB8612B');
CREATE TABLE label_sets (
	label_set_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	labels VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_label_sets PRIMARY KEY (label_set_id), 
	CONSTRAINT uq_label_sets_name UNIQUE (name)
);
CREATE TABLE models (
	model_id INTEGER NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	name BLOB NOT NULL, 
	dim INTEGER NOT NULL, 
	image_generation INTEGER NOT NULL, 
	caption_generation INTEGER NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (model_id), 
	CONSTRAINT uq_models_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "models" VALUES(1,'8c0ba48b609d82fd2be306f33d8a59f7be60ce985a6a596f4be07808d41cdb2c',X'636F6C6F757273',4,0,0,'2026-11-27 21:38:13.120367');
CREATE TABLE roots (
	root_id INTEGER NOT NULL, 
	path BLOB NOT NULL, 
	added_at DATETIME NOT NULL, removed_at DATETIME, volume VARCHAR, exclude VARCHAR, folded_path VARCHAR, 
	CONSTRAINT pk_roots PRIMARY KEY (root_id), 
	CONSTRAINT uq_roots_path UNIQUE (path)
);
INSERT INTO "roots" VALUES(1,X'2F70686F746F73','2026-11-27 21:38:13.152056',NULL,NULL,NULL,'/photos');
CREATE TABLE runs (
	run_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	seconds FLOAT NOT NULL, 
	found INTEGER NOT NULL, 
	embedded INTEGER NOT NULL, 
	reused INTEGER NOT NULL, 
	unchanged INTEGER NOT NULL, 
	removed INTEGER NOT NULL, 
	skipped INTEGER NOT NULL, 
	finished BOOLEAN NOT NULL, to_do INTEGER, updated_at DATETIME, 
	CONSTRAINT pk_runs PRIMARY KEY (run_id), 
	CONSTRAINT fk_runs_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id)
);
INSERT INTO "runs" VALUES(1,1,'2026-11-27 21:38:13.158882',1.64196763000290957279e-01,4,3,0,0,0,1,1,NULL,'2026-11-27 21:38:13.323322');
INSERT INTO "runs" VALUES(2,1,'2026-11-27 21:38:13.324821',8.42223700055910740047e-03,3,0,0,2,1,1,1,NULL,'2026-11-27 21:38:13.333442');
CREATE TABLE snapshots (
	model_id INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	machine VARCHAR(36) NOT NULL, 
	blake3 VARCHAR(64) NOT NULL, 
	row_count INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	last_embedding_id BIGINT NOT NULL, 
	ann VARCHAR, 
	CONSTRAINT pk_snapshots PRIMARY KEY (model_id, kind, machine), 
	CONSTRAINT fk_snapshots_model_id_models FOREIGN KEY(model_id) REFERENCES models (model_id)
);
CREATE INDEX ix_files_content_id ON files (content_id);
CREATE INDEX ix_concept_examples_content_id ON concept_examples (content_id);
CREATE INDEX ix_contents_changed ON contents (changed);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('contents',3);
INSERT INTO "sqlite_sequence" VALUES('image_embeddings',3);
INSERT INTO "sqlite_sequence" VALUES('captions',1);
COMMIT;
