using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

/// <summary>
/// One connection that all requests share, as in a pool that is small or busy: nobody finds there who came before, however that one's
/// request ended.
/// </summary>
public abstract class PooledIdentitySuite(TestDatabase database) : IAsyncLifetime
{
    private static readonly StatementBounds Short = new(TimeSpan.FromMilliseconds(50), ReadOnly: true);

    private NpgsqlDataSource _pool = null!;
    private UserSession _users = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>How a request ended, and the failure that it ended with: WR009 where it wrote, for it may only read.</summary>
    public static TheoryData<string, string?> Ends => new()
    {
        { "select 1", null },
        { "select 1/0", "WR500" },
        { "select no_such_column", "WR500" },
        { "not sql", "WR500" },
        { "select public.create_workspace(null, null)", "WR009" },
        { "insert into public.organizations (name, slug) values ('x', 'x')", "WR009" },
        { "select pg_sleep(60)", "WR009" },
        { "set role service_role", "WR003" },
        { "select pg_terminate_backend(pg_backend_pid())", "WR003" },
    };

    public ValueTask InitializeAsync()
    {
        var url = DatabaseUrl.Parse(database.GatewayUrl);
        (url.MaxPoolSize, url.NoResetOnClose, url.CommandTimeout, url.CancellationTimeout) = (1, true, 30, 1000);
        _pool = NpgsqlDataSource.Create(url.ConnectionString);
        _users = new UserSession(_pool);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync() => await _pool.DisposeAsync();

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A02_nothing_of_a_request_is_left_on_its_connection(string statement, string? failure)
    {
        var (ann, bob) = (await PersonAsync(), await PersonAsync());
        var before = await BackendAsync();
        string? met = null;
        try
        {
            // As a read of /rest/v1 is run: with a deadline, and read-only.
            await _users.ReadAsync(ann.Id, Short, statement, [], async (reader, ct) => await reader.ReadAsync(ct), Token);
        }
        catch (WeirException e)
        {
            met = e.Code.Sqlstate();
        }

        met.ShouldBe(failure);
        await ShouldBeNobodysAsync(ann, bob);
        (await BackendAsync()).ShouldBe(before, "it is the same connection");
    }

    [Fact]
    public async Task A02_nothing_is_left_of_a_request_whose_caller_went_away()
    {
        var (ann, bob) = (await PersonAsync(), await PersonAsync());
        var before = await BackendAsync();
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var asked = _users.QueryAsync(ann.Id, "select pg_sleep(60)", [], r => 0, leave.Token);
        await Until.AsyncTrue(
            () =>
                database.Superuser.ScalarAsync<bool>(
                    "select exists (select from pg_stat_activity where pid = $1 and state = 'active' and query like '%pg_sleep%')",
                    [Sql.Integer(before)], Token),
            "the statement runs");

        await leave.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(asked);
        await ShouldBeNobodysAsync(ann, bob);
        (await BackendAsync()).ShouldBe(before, "it is the same connection");
    }

    [Fact]
    public async Task A02_nothing_is_left_of_a_request_that_the_driver_gave_up()
    {
        var (ann, bob) = (await PersonAsync(), await PersonAsync());
        var url = DatabaseUrl.Parse(database.GatewayUrl);
        (url.MaxPoolSize, url.NoResetOnClose, url.CommandTimeout, url.CancellationTimeout) = (1, true, 1, 1000);
        await using var impatient = NpgsqlDataSource.Create(url.ConnectionString);

        (await Should.ThrowAsync<WeirException>(
            () => new UserSession(impatient).QueryAsync(ann.Id, "select pg_sleep(60)", [], r => 0, Token))).Code.ShouldBe(
            ErrorCode.Unavailable);

        (await impatient.ScalarAsync<string>(
            "select current_user || coalesce(current_setting('request.jwt.claims', true), '')", [], Token)).ShouldBe("weir_gateway");
        (await OrganizationsAsync(new UserSession(impatient), bob.Id)).ShouldBe([bob.Organization]);
    }

    [Fact]
    public async Task A02_a_crowd_on_one_connection_sees_each_its_own()
    {
        var people = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => PersonAsync()));

        var seen = await Task.WhenAll(Enumerable.Range(0, 120).Select(async i =>
        {
            if (i % 5 == 4)
            {
                await Should.ThrowAsync<WeirException>(() => _users.QueryAsync(people[i % 6].Id, "select 1/0", [], r => 0, Token));
            }

            return (Person: people[i % 6], Seen: await OrganizationsAsync(_users, people[i % 6].Id));
        }));

        seen.ShouldAllBe(s => s.Seen.Count == 1 && s.Seen[0] == s.Person.Organization);
    }

    /// <summary>The bare login is nobody and reads nothing, no setting is left, and the next person sees their own and only that.</summary>
    private async Task ShouldBeNobodysAsync((Guid Id, Guid Organization) last, (Guid Id, Guid Organization) next)
    {
        var left = await _pool.QueryAsync(
            "select concat_ws(' ', current_user, session_user, '[' || coalesce(current_setting('request.jwt.claims', true), '') || ']', "
                + "current_setting('transaction_read_only'), current_setting('statement_timeout'), current_setting('search_path'))",
            [],
            r => r.GetString(0),
            Token);
        left.ShouldBe(["weir_gateway weir_gateway [] off 0 \"$user\", public"]);
        (await Should.ThrowAsync<WeirException>(
            () => _pool.QueryAsync("select id from public.organizations", [], r => r.GetGuid(0), Token))).Code.ShouldBe(
            ErrorCode.Forbidden);
        (await _users.QueryAsync(null, "select auth.uid() is null and current_user = 'anon'", [], r => r.GetBoolean(0), Token)).ShouldBe(
            [true]);
        (await OrganizationsAsync(_users, next.Id)).ShouldBe([next.Organization]);
        (await OrganizationsAsync(_users, last.Id)).ShouldBe([last.Organization]);
    }

    private async Task<(Guid Id, Guid Organization)> PersonAsync()
    {
        var id = await World.CreateUserAsync(database);
        return (
            id, (await database.Users.CallAsync(id, "select public.create_organization('Of one')", [], Token)).GetProperty("id").GetGuid());
    }

    private static Task<IReadOnlyList<Guid>> OrganizationsAsync(UserSession users, Guid person) =>
        users.QueryAsync(person, "select id from public.organizations", [], r => r.GetGuid(0), Token);

    private Task<int> BackendAsync() => _pool.ScalarAsync<int>("select pg_backend_pid()", [], Token);
}

public sealed class PooledIdentityTests(TestDatabase database) : PooledIdentitySuite(database), IClassFixture<TestDatabase>;

/// <summary>The same on a database as a Supabase project's.</summary>
public sealed class PooledIdentityOnSupabaseTests(SupabaseDatabase database)
    : PooledIdentitySuite(database), IClassFixture<SupabaseDatabase>;
