using System.CommandLine;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Postgres;
using Weir.Server.Hosting;

namespace Weir.Server.Commands;

/// <summary><c>weir user create</c>: a person of the embedded issuer. The first one of an installation comes in this way.</summary>
internal static class UserCommand
{
    public static Command Create() => new("user", "People of the embedded issuer.") { CreateUser() };

    private static Command CreateUser()
    {
        var email = new Argument<string>("EMAIL") { Description = "The person's e-mail address, which is taken as confirmed." };
        var command = new Command("create", """
            Make a login, and print the user's id. The password is the first line of standard input. Needs WEIR_OWNER_DATABASE_URL.
            Only where Weir is its own issuer; elsewhere people are made where they sign in.
            """)
        {
            email, CommandRun.Config,
        };
        command.Run(async (parsed, stop) =>
        {
            var owner = WeirConfig.Load(parsed.GetValue(CommandRun.Config)).Database.RequireOwnerUrl();
            var (address, password) = (parsed.GetValue(email)!, await CommandRun.PasswordAsync(stop));
            try
            {
                Logins.RefuseNew(address, password);
            }
            catch (AuthException e)
            {
                throw new WeirException(ErrorCode.InvalidArgument, e.Message);
            }

            await Console.Out.WriteLineAsync($"{await new PlatformQueries(owner).CreateUserAsync(address, Logins.Hash(password), stop)}");
            return ExitCode.Done;
        });
        return command;
    }
}
