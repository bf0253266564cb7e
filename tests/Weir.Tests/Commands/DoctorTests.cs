using System.Text.Json;
using Weir.Configuration;
using Weir.Keys;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Postgres.Doctor;
using Weir.Postgres.Migrations;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

/// <summary><c>weir doctor</c>, on a database as <c>weir migrate</c> leaves it and on what may be wrong with one.</summary>
public sealed class DoctorTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("weir-doctor-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_database_as_migrated_is_well_but_for_autovacuum_which_the_tests_turn_off()
    {
        var (code, output, errors) = await RunAsync(Urls());

        // The tests' clusters run without autovacuum, which is the one thing that is wrong.
        (code, errors).ShouldBe((1, ""), output);
        output.Split('\n').Where(l => l.StartsWith("WRONG", StringComparison.Ordinal)).ShouldBe(["WRONG autovacuum: it is off"]);
        output.ShouldContain($"all {MigrationScript.Embedded().Count} are applied");
        output.ShouldContain("weir_gateway can do no more than it may");
        output.ShouldContain($":{database.Cluster.Postgres.Port}, database {database.Name}: PostgreSQL");
    }

    [Fact]
    public async Task Each_thing_that_is_wrong_has_its_fix_and_no_password_is_repeated()
    {
        var urls = Urls();
        // The engine's login where the gateway's should be, a password that is not the engine's, and nothing behind the owner's port.
        (urls["WEIR_DATABASE_URL"], urls["WEIR_ENGINE_DATABASE_URL"], urls["WEIR_OWNER_DATABASE_URL"]) =
            (database.EngineUrl, WithPassword(database.EngineUrl, "certainly-wrong"),
            "postgresql://owner:secret-of-the-owner@127.0.0.1:9/x");

        var (code, output, errors) = await RunAsync(urls, "--json");

        (code, errors).ShouldBe((1, ""), output);
        output.ShouldNotContain("certainly-wrong");
        output.ShouldNotContain("secret-of-the-owner");
        output.ShouldNotContain(DatabaseUrl.Parse(database.EngineUrl).Password!);
        var report = JsonElement.Parse(output);
        report.GetProperty("healthy").GetBoolean().ShouldBeFalse();
        Fix(report, "database.url login").ShouldContain("weir_gateway");
        Fix(report, "database.engineUrl").ShouldContain("Run weir migrate");
        Fix(report, "database.ownerUrl").ShouldContain("Check host and port");
    }

    [Fact]
    public async Task A_superuser_where_the_gateway_should_be_is_found()
    {
        var urls = Urls();
        urls["WEIR_DATABASE_URL"] = database.Cluster.Postgres.SuperuserUrl(database.Name);

        var (code, output, _) = await RunAsync(urls);

        code.ShouldBe(1);
        output.ShouldContain("WRONG database.url login: it is a superuser");
    }

    [Fact]
    public async Task A_migration_that_is_missing_and_another_keyring_are_found()
    {
        var last = MigrationScript.Embedded()[^1].Name;
        await database.Superuser.ExecuteAsync(
            "update weir.schema_migrations set name = name || '.kept' where name = $1", [Sql.Text(last)], Token);
        (await RunAsync(Urls())).Output.ShouldContain("of a newer release");
        await database.Superuser.ExecuteAsync(
            "update weir.schema_migrations set name = $1, checksum = sha256('x') where name = $1 || '.kept'", [Sql.Text(last)], Token);
        (await RunAsync(Urls())).Output.ShouldContain($"not what this release has: {last}");
        await database.Superuser.ExecuteAsync("delete from weir.schema_migrations where name = $1", [Sql.Text(last)], Token);
        await database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = sha256('another')", [], Token);
        Keyring.LoadOrCreate(Path.Combine(_data, "keyring.json"));

        var (code, output, _) = await RunAsync(Urls());

        code.ShouldBe(1);
        output.ShouldContain("1 of ");
        output.ShouldContain("Run weir migrate.");
        output.ShouldContain("WRONG keyring: it is not the one that this database was written with");
        await database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = null", [], Token);
        await database.Superuser.ExecuteAsync(
            "insert into weir.schema_migrations (name, checksum) values ($1, $2)",
            [Sql.Text(last), Sql.Bytea(MigrationScript.Embedded()[^1].Checksum)], Token);
    }

    [Fact]
    public async Task A_keyring_that_the_database_has_and_the_directory_has_not_is_found()
    {
        (await RunAsync(Urls())).Output.ShouldContain("ok    keyring: there is none yet");
        await database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = sha256('another')", [], Token);

        var (code, output, _) = await RunAsync(Urls());

        code.ShouldBe(1);
        output.ShouldContain("WRONG keyring: the database was written with one, and there is no file");
        await database.Superuser.ExecuteAsync("update weir.installation set keyring_fingerprint = null", [], Token);
    }

    [Fact]
    public async Task A_public_url_that_migrate_has_not_written_is_found()
    {
        var urls = Urls();
        (await RunAsync(urls)).Output.ShouldContain("ok    http.publicUrl: not set: answers hold no addresses of Weir");
        urls["WEIR_HTTP_PUBLIC_URL"] = "https://weir.example/below/";
        (await RunAsync(urls)).Output.ShouldContain(
            "WRONG http.publicUrl: it is https://weir.example/below, and the database has none: links in answers differ");

        (await RunningUp.RunAsync(urls, "migrate")).ExitCode.ShouldBe(0);
        (await RunAsync(urls)).Output.ShouldContain("ok    http.publicUrl: https://weir.example/below");
        var (code, output, _) = await RunAsync(Urls());
        code.ShouldBe(1);
        output.ShouldContain("WRONG http.publicUrl: it is not set, and the database has https://weir.example/below");

        (await RunningUp.RunAsync(Urls(), "migrate")).ExitCode.ShouldBe(0);
        (await RunAsync(Urls())).Output.ShouldContain("ok    http.publicUrl: not set");
    }

    [Fact]
    public async Task The_loopback_address_that_up_has_written_is_well_where_nothing_is_configured()
    {
        await database.Owner.ExecuteAsync("""select weir.set_setting('public_url', '"http://127.0.0.1:8080"')""", [], Token);

        (await RunAsync(Urls())).Output.ShouldContain(
            "ok    http.publicUrl: not set; the database has http://127.0.0.1:8080, where weir up listens");

        await database.Owner.ExecuteAsync("select weir.set_setting('public_url', 'null')", [], Token);
    }

    [Fact]
    public async Task Statistics_of_a_table_that_was_empty_are_found()
    {
        (await RunAsync(Urls())).Output.ShouldContain("ok    statistics: they fit the tables' sizes");
        await database.Superuser.ExecuteAsync("analyze weir.security_events", [], Token);
        await database.Superuser.ExecuteAsync(
            "insert into weir.security_events (minute, reason, occurrences) select now() + n * interval '1 minute', 'x', 1 from "
                + "generate_series(1, 50000) n", [], Token);

        (await RunAsync(Urls())).Output.ShouldContain(
            "WRONG statistics: they are of a time when the tables were nearly empty: weir.security_events");

        await database.Superuser.ExecuteAsync(
            "delete from weir.security_events where reason = 'x'; analyze weir.security_events", [], Token);
    }

    [Fact]
    public async Task A_nodes_address_is_asked_and_one_that_does_not_answer_or_whose_key_does_not_open_is_found()
    {
        var keyring = Keyring.LoadOrCreate(Path.Combine(_data, "keyring.json"));
        await using var there = await NodeHost.StartAsync();
        var (answers, closed, foreign) = (Guid.NewGuidForTests(), Guid.NewGuidForTests(), Guid.NewGuidForTests());
        var (url, apiKey) =
            (there.Url.GetLeftPart(UriPartial.Authority),
            (await File.ReadAllTextAsync(Path.Combine(there.Data, "state", "api-key"), Token)).Trim());
        await AddNodeAsync(answers, "answers", url, NodeKeys.Seal(keyring, answers, apiKey));
        await AddNodeAsync(closed, "closed", "http://127.0.0.1:9", NodeKeys.Seal(keyring, closed, "a key"));
        await AddNodeAsync(foreign, "foreign", url, NodeKeys.Seal(keyring, closed, "a key"));

        var (_, output, _) = await RunAsync(Urls());

        output.ShouldContain($"ok    node answers: {url}: answers, version ");
        output.ShouldContain("WRONG node closed: http://127.0.0.1:9: Node closed does not answer. (Connection refused");
        output.ShouldContain("advertise of weir-node");
        output.ShouldContain($"WRONG node foreign: {url}: its key does not open with this keyring");
        await database.Superuser.ExecuteAsync(
            "delete from weir.dtma_nodes; update weir.installation set keyring_fingerprint = null", [], Token);
    }

    [Fact]
    public async Task An_owner_without_rights_is_found()
    {
        var name = DatabaseUrl.Parse(database.OwnerUrl).Username!;
        (await RunAsync(Urls())).Output.ShouldContain("ok    database.ownerUrl rights: it may create roles, and administers Weir's");
        await database.Superuser.ExecuteAsync($"alter role {name} nocreaterole", [], Token);
        try
        {
            (await RunAsync(Urls())).Output.ShouldContain("WRONG database.ownerUrl rights: the role may not create roles");
        }
        finally
        {
            await database.Superuser.ExecuteAsync($"alter role {name} createrole", [], Token);
        }
    }

    [Theory]
    [InlineData(1, 2, 1, false)]
    [InlineData(1, 1, 2, true)]
    [InlineData(1, 1, 1, true)]
    [InlineData(1, 2, 3, true)]
    public void Two_clients_of_one_server_or_one_client_of_two_are_a_pooler_s_in_transaction_mode(
    int first, int second, int firstAgain, bool pooled) =>
        PoolerProbe.IsTransactionPooler(first, second, firstAgain).ShouldBe(pooled);

    private Task AddNodeAsync(Guid id, string name, string url, byte[] sealedKey) => database.Superuser.ExecuteAsync(
        """
        insert into weir.dtma_nodes (id, name, api_url, sealed_api_key, key_hash, registered_at, heartbeat_at, is_online, isolation, runtimes, capability_version)
        values ($1, $2, $3, $4, sha256(convert_to($2, 'UTF8')), now(), now(), true, 'none', '{process}', 3)
        """,
        [Sql.Uuid(id), Sql.Text(name), Sql.Text(url), Sql.Bytea(sealedKey)], Token);

    private static string Fix(JsonElement report, string check) =>
        report.GetProperty("checks").EnumerateArray().Single(c => c.GetProperty("check").GetString() == check).GetProperty("fix")
            .GetString()!;

    private string WithPassword(string url, string password) =>
        DatabaseUrl.Format(DatabaseUrl.Parse(url).Username!, password, "127.0.0.1", database.Cluster.Postgres.Port, database.Name);

    private Dictionary<string, string> Urls() => new()
    {
        ["WEIR_OWNER_DATABASE_URL"] = database.OwnerUrl,
        ["WEIR_DATABASE_URL"] = database.GatewayUrl,
        ["WEIR_ENGINE_DATABASE_URL"] = database.EngineUrl,
    };

    private Task<(int ExitCode, string Output, string Errors)> RunAsync(Dictionary<string, string> urls, params string[] more) =>
        RunningUp.RunAsync(urls, ["doctor", "--data", _data, .. more]);
}
