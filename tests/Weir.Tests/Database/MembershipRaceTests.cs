using Npgsql;
using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>What pgTAP cannot try, having one session: people who change an organization's members at the same moment.</summary>
public sealed class MembershipRaceTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const int Rounds = 8;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_two_owners_who_leave_at_once_one_stays()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var (organization, owners) = await OrganizationOfTwoOwnersAsync();

            var outcomes =
                await Task.WhenAll(owners.Select(o => OutcomeAsync(o, "select public.leave_organization($1)", Sql.Uuid(organization))));

            outcomes.ShouldBe([null, ErrorCode.Conflict], ignoreOrder: true);
            (await OwnersAsync(organization)).ShouldBe(1);
        }
    }

    [Fact]
    public async Task Of_two_owners_who_demote_each_other_one_stays()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var (organization, owners) = await OrganizationOfTwoOwnersAsync();

            var outcomes = await Task.WhenAll(owners.Select((o, i) => OutcomeAsync(
                o, "select public.set_member_role($1, $2, 'viewer')", Sql.Uuid(organization), Sql.Uuid(owners[1 - i]))));

            // Whoever came second is a viewer by then.
            outcomes.ShouldBe([null, ErrorCode.Forbidden], ignoreOrder: true);
            (await OwnersAsync(organization)).ShouldBe(1);
        }
    }

    [Theory]
    [InlineData("read committed", "WR005")]
    [InlineData("repeatable read", "40001")]
    [InlineData("serializable", "40001")]
    public async Task Of_two_owners_who_are_deleted_by_direct_sql_one_stays(string isolation, string refusal)
    {
        var (organization, owners) = await OrganizationOfTwoOwnersAsync();
        await using var first = await database.Superuser.OpenConnectionAsync(Token);
        await using var second = await database.Superuser.OpenConnectionAsync(Token);
        foreach (var connection in new[] { first, second })
        {
            await ExecuteAsync(connection, $"begin isolation level {isolation}; select count(*) from public.organization_members");
        }

        await DeleteAsync(first, owners[0]);
        var waiting = DeleteAsync(second, owners[1]);
        await ExecuteAsync(first, "commit");

        (await Should.ThrowAsync<PostgresException>(waiting)).SqlState.ShouldBe(refusal);
        (await OwnersAsync(organization)).ShouldBe(1);
    }

    [Fact]
    public async Task M12_two_admins_do_not_both_get_the_last_place()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var (organization, owners) = await OrganizationOfTwoOwnersAsync();
            await database.Superuser.ExecuteAsync(
                "update public.organizations set max_members = 3 where id = $1", [Sql.Uuid(organization)], Token);

            var outcomes = await Task.WhenAll(owners.Select((o, i) => InviteAsync(o, organization, $"{i}@example.test", NewToken())));

            outcomes.ShouldBe([null, ErrorCode.QuotaExceeded], ignoreOrder: true);
        }
    }

    [Fact]
    public async Task An_invitation_lets_one_in_once()
    {
        for (var round = 0; round < Rounds; round++)
        {
            var (organization, owners) = await OrganizationOfTwoOwnersAsync();
            var guest = await World.CreateUserAsync(database);
            var email =
                await database.Superuser.ScalarAsync<string>("select email from auth.users where id = $1", [Sql.Uuid(guest)], Token);
            var token = NewToken();
            (await InviteAsync(owners[0], organization, email!, token)).ShouldBeNull();

            var outcomes = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(_ => OutcomeAsync(guest, "select public.accept_invitation($1)", Sql.Text(token))));

            outcomes.Count(o => o is null).ShouldBe(1);
            outcomes.Count(o => o is ErrorCode.NotFound).ShouldBe(3);
        }
    }

    /// <summary>43 letters and digits, as of chance.</summary>
    private static string NewToken() => $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}{new string('x', 11)}";

    private async Task<(Guid Organization, Guid[] Owners)> OrganizationOfTwoOwnersAsync()
    {
        Guid[] owners = [await World.CreateUserAsync(database), await World.CreateUserAsync(database)];
        var made = await database.Users.CallAsync(owners[0], "select public.create_organization('Two owners')", [], Token);
        var organization = made.GetProperty("id").GetGuid();
        await database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role) values ($1, $2, 'owner')",
            [Sql.Uuid(organization), Sql.Uuid(owners[1])], Token);
        return (organization, owners);
    }

    private Task<ErrorCode?> InviteAsync(Guid owner, Guid organization, string email, string token) => OutcomeAsync(
        owner, "select public.invite_member($1, $2, 'member', $3)", Sql.Uuid(organization), Sql.Text(email), Sql.Text(token));

    /// <summary>Null: it was done.</summary>
    private async Task<ErrorCode?> OutcomeAsync(Guid person, string sql, params NpgsqlParameter[] parameters)
    {
        try
        {
            await database.Users.CallAsync(person, sql, parameters, Token);
            return null;
        }
        catch (WeirException e)
        {
            return e.Code;
        }
    }

    private Task<long> OwnersAsync(Guid organization) => database.Superuser.ScalarAsync<long>(
        "select count(*) from public.organization_members where organization_id = $1 and role = 'owner' and status = 'active'",
        [Sql.Uuid(organization)], Token);

    private static Task DeleteAsync(NpgsqlConnection connection, Guid user) =>
        ExecuteAsync(connection, "delete from public.organization_members where user_id = $1", Sql.Uuid(user));

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, params NpgsqlParameter[] parameters)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        await command.ExecuteNonQueryAsync(Token);
    }
}
