using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

public sealed class UserSessionTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task T18_identity_is_bound_to_one_statement_and_gone_after_it()
    {
        var user = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

        var during = await database.Users.QueryAsync(user, "select current_user::text, auth.uid(), current_setting('request.jwt.claims')",
            [], r => (r.GetString(0), r.GetGuid(1), r.GetString(2)), Cancelled);
        await using var pool = Npgsql.NpgsqlDataSource.Create(
            Weir.Configuration.DatabaseUrl.Parse(database.GatewayUrl).ConnectionString + ";Maximum Pool Size=1;No Reset On Close=true");
        var alone = new UserSession(pool);
        await alone.QueryAsync(user, "select 1", [], r => r.GetInt32(0), Cancelled);
        var after = await pool.QueryAsync("select current_user::text, coalesce(current_setting('request.jwt.claims', true), '')", [],
            r => (r.GetString(0), r.GetString(1)), Cancelled);

        during.ShouldBe([("authenticated", user, $$"""{"sub":"{{user}}","role":"authenticated"}""")]);
        after.ShouldBe([("weir_gateway", "")]);
    }

    [Fact]
    public async Task T18_identity_is_gone_after_an_error_too()
    {
        await using var pool = Npgsql.NpgsqlDataSource.Create(
            Weir.Configuration.DatabaseUrl.Parse(database.GatewayUrl).ConnectionString + ";Maximum Pool Size=1;No Reset On Close=true");
        var alone = new UserSession(pool);

        await Should.ThrowAsync<WeirException>(() => alone.QueryAsync(null, "select 1/0", [], r => r.GetInt32(0), Cancelled));

        (await pool.ScalarAsync<string>("select current_user::text", [], Cancelled)).ShouldBe("weir_gateway");
    }

    [Fact]
    public async Task Nobody_is_anon() =>
        (await database.Users.QueryAsync(null, "select current_user::text, auth.uid() is null", [], r => (r.GetString(0), r.GetBoolean(1)),
            Cancelled)).ShouldBe([("anon", true)]);

    [Fact]
    public async Task A_parallel_crowd_sees_each_its_own_identity()
    {
        var users = Enumerable.Range(0, 64).Select(_ => Guid.CreateVersion7(TimeProvider.System.GetUtcNow())).ToArray();

        var seen = await Task.WhenAll(
            users.Select(async user => (await database.Users.QueryAsync(user, "select auth.uid()", [], r => r.GetGuid(0), Cancelled))[0]));

        seen.ShouldBe(users);
    }

    [Fact]
    public async Task A_refusal_that_is_returned_is_thrown_after_its_commit()
    {
        var user = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

        var refusal = await Should.ThrowAsync<WeirException>(() =>
            database.Users.CallAsync(user, "select public.create_workspace($1, $2)", [Sql.Uuid(user), Sql.Text("ours")], Cancelled));

        refusal.Code.ShouldBe(ErrorCode.NotFound);
    }

    [Fact]
    public async Task What_a_person_may_not_do_is_forbidden_without_the_databases_words()
    {
        var user = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

        var refusal = await Should.ThrowAsync<WeirException>(() =>
            database.Users.QueryAsync(user, "delete from public.organizations", [], r => 0, Cancelled));

        refusal.Code.ShouldBe(ErrorCode.Forbidden);
        refusal.Message.ShouldNotContain("organizations");
    }

    [Fact]
    public async Task The_gateway_login_may_become_nobody_else()
    {
        var refusal =
            await Should.ThrowAsync<WeirException>(() => database.Pools.Gateway.ExecuteAsync("set role service_role", [], Cancelled));

        refusal.Code.ShouldBe(ErrorCode.Forbidden);
    }
}
