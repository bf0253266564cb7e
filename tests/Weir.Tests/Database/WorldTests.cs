using System.Text.Json;
using FsCheck.Xunit;
using Weir.Postgres;
using Weir.Tests.Database.Model;
using Weir.Tests.Infrastructure;
using Sql = Weir.Postgres.Sql;
using World = Weir.Tests.Database.Model.World;

namespace Weir.Tests.Database;

/// <summary>
/// Random worlds: admission, its explanation, <c>validate_mcp_access</c> and the list agree with each other and with a model of a few
/// lines.
/// </summary>
public abstract class WorldSuite(TestDatabase database) : IAsyncLifetime
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    private Npgsql.NpgsqlConnection _connection = null!;

    /// <summary>One connection for all worlds: a pooled one forgets its plans each time, and planning is most of the time here.</summary>
    public async ValueTask InitializeAsync()
    {
        _connection = await database.Superuser.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await RunAsync(await File.ReadAllTextAsync(Repository.PathOf("db/testing/model.sql")), []);
        await RunAsync("set plan_cache_mode = force_generic_plan", []);
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private protected async Task AgreeAsync(Story story)
    {
        await using var transaction = await _connection.BeginTransactionAsync();
        await RunAsync("select model.build($1)", [Sql.Jsonb(story.World.ToString())]);
        await CompareAsync(story.World, story.Probes, "at first");
        var world = story.World;
        foreach (var deed in story.Deeds)
        {
            world = deed.Model(world);
            await RunAsync(deed.Statement, [.. deed.Values.Select(v => new Npgsql.NpgsqlParameter { Value = v ?? DBNull.Value })]);
            await CompareAsync(world, story.Probes, $"after: {deed}");
        }
    }

    private async Task CompareAsync(World world, IReadOnlyList<Probe> probes, string when)
    {
        var text =
            (string)(await RunAsync(
                "select model.probe($1, $2)::text", [Sql.Jsonb(JsonSerializer.Serialize(probes, Json)), Sql.Uuid(Story.Admin)]))!;
        var answers = JsonSerializer.Deserialize<Answer[]>(text, Json)!;
        for (var i = 0; i < probes.Count; i++)
        {
            var (probe, answer) = (probes[i], answers[i]);
            var expected = Reference.Admits(world, probe);
            answer.Admitted.ShouldBe(expected, $"admission {when}: {probe}, {answer.Reason}");
            (answer.Listed ?? false).ShouldBe(Reference.Lists(world, probe), $"the list {when}: {probe}");
            if (probe.User is not null)
            {
                (answer.Validated ?? false).ShouldBe(Reference.Validates(world, probe), $"validate_mcp_access {when}: {probe}");
            }

            // The explanation is for an admin or for a person about themselves, and of arguments that are JSON; whether the server is up is
            // beside it.
            if (probe.Arguments == "{" || (probe.User is not null && IsAdmin(world, probe)))
            {
                continue;
            }

            if (expected)
            {
                answer.Explained.ShouldBe(true, $"explain_mcp_access {when}: {probe}");
            }
            else if (probe.Key != "nokey00000000000" && answer.Explained == true)
            {
                answer.Reason.ShouldBeOneOf(
                    ["unavailable", "key_revoked", "key_expired", "key_unknown"], $"explain_mcp_access {when}: {probe}");
            }
        }
    }

    private static bool IsAdmin(World world, Probe probe) =>
        world.Agents.Single(a => a.Id == probe.Agent) is var agent
        && world.Members.Any(
            m => m.Organization == agent.Organization && m.User == probe.User && m is { Status: "active", Role: "owner" or "admin" });

    private async Task<object?> RunAsync(string sql, Npgsql.NpgsqlParameter[] parameters)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, _connection);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteScalarAsync();
    }
}

public sealed class WorldTests(TestDatabase database) : WorldSuite(database), IClassFixture<TestDatabase>
{
    [Property(MaxTest = 2000, Arbitrary = [typeof(Story)], QuietOnSuccess = true)]
    public Task Every_way_in_agrees_with_the_model_before_and_after_every_deed(Story story) => AgreeAsync(story);
}

/// <summary>Fewer on a database as a Supabase project's: what decides is the same.</summary>
public sealed class WorldOnSupabaseTests(SupabaseDatabase database) : WorldSuite(database), IClassFixture<SupabaseDatabase>
{
    [Property(MaxTest = 100, Arbitrary = [typeof(Story)], QuietOnSuccess = true)]
    public Task Every_way_in_agrees_with_the_model_before_and_after_every_deed(Story story) => AgreeAsync(story);
}
